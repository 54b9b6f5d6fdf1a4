"""Whether there is anything to train at all."""

import json
from collections.abc import Mapping

from worker.job.job import ActiveModel
from worker.job.options import Options
from worker.registry.folder import METADATA

# Options that say when to train and what to do with the result, not what the result is.
WITHOUT_EFFECT = {"coalesce", "force", "promote"}


def is_unchanged(active: ActiveModel, fingerprint: str, options: Options) -> bool:
    """Whether the active model was made of the same photos, backbone and options, and the job forces no other."""
    try:
        metadata = json.loads((active.folder / METADATA).read_bytes())
        same = metadata["fingerprint"] == fingerprint and are_same_options(metadata["training"], options)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return same and not options.force


def are_same_options(training: Mapping[str, object], options: Options) -> bool:
    """Whether a model with this `training` in its metadata was made with the same options.

    Raises ValueError or AttributeError for what is no such thing.
    """
    before = Options.model_validate(
        {key: value for key, value in training.items() if key in Options.model_fields}
    )
    mine, theirs = (each.model_dump(exclude=WITHOUT_EFFECT) for each in (options, before))
    return mine == theirs
