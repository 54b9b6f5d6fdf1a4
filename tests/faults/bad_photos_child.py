"""The worker's own training child, with decoders that fail as the photos' names say, and little time for a photo."""

from worker.child.__main__ import main
from worker.photos import decoder_process
from worker.photos.decoding_limits import DecodingLimits
from worker.pipeline import conclude, pipeline

LIMITS = DecodingLimits(2, memory=160 << 20, cpu_seconds=1.0, idle_seconds=1.0)

if __name__ == "__main__":
    decoder_process.MODULE = "tests.support.faulty_decoder"
    for module in (pipeline, conclude):
        setattr(module, "decoding_limits", lambda memory_mb: LIMITS)  # noqa: B010
    main()
