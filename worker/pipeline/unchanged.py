"""Whether there is anything to train at all."""

import json

from worker.job.job import ActiveModel
from worker.job.options import Options
from worker.registry.folder import METADATA

# Options that say when to train and what to do with the result, not what the result is.
WITHOUT_EFFECT = {"force", "promote"}


def is_unchanged(active: ActiveModel, fingerprint: str, options: Options) -> bool:
    """Whether the active model was made of the same photos, backbone and options, and the job forces no other."""
    try:
        metadata = json.loads((active.folder / METADATA).read_bytes())
        before, asked = metadata["fingerprint"], Options.model_validate(_only_options(metadata["training"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    mine, theirs = (each.model_dump(exclude=WITHOUT_EFFECT) for each in (options, asked))
    return not options.force and before == fingerprint and mine == theirs


def _only_options(training: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in training.items() if key in Options.model_fields}
