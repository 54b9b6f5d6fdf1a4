"""The photos that a stub of the training child has decoded: most of them would end any decoder."""

from pathlib import Path

from tests.support.hostile_photos import TOO_LARGE, jpeg
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import DecodingLimits
from worker.photos.unreadable import SkipReason, UnreadablePhoto

GOOD = "good.jpg"
LIMITS = DecodingLimits(1, memory=160 << 20)


def lay_out(folder: Path) -> None:
    """Write a good photo and the bad ones."""
    folder.mkdir()
    (folder / GOOD).write_bytes(jpeg())
    for name, content in TOO_LARGE.items():
        (folder / name).write_bytes(content())


def fault_of(folder: Path) -> str:
    """Have them all decoded; return what went otherwise than it should, or ""."""
    with Decoders(LIMITS) as decoders:
        for path in sorted(folder.iterdir()):
            try:
                decoders.prepare(path)
            except UnreadablePhoto as refusal:
                if path.name == GOOD or refusal.reason is not SkipReason.TOO_LARGE:
                    return f"{path.name} was skipped as {refusal.reason}: {refusal}"
            else:
                if path.name != GOOD:
                    return f"{path.name} was decoded"
    return ""
