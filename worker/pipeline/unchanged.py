"""Whether there is anything to train at all."""

from collections.abc import Mapping

from pydantic import ValidationError

from worker.job.job import ActiveModel
from worker.job.options import Options
from worker.pipeline.active_metadata import read_active_metadata

# Options that say when to train and what to do with the result, not what the result is.
WITHOUT_EFFECT = {"coalesce", "force", "promote"}


def is_unchanged(active: ActiveModel, fingerprint: str, options: Options) -> bool:
    """Whether the active model was made of the same photos, backbone and options, and the job forces no other."""
    made = read_active_metadata(active)
    same = made.fingerprint == fingerprint and are_same_options(made.training, options)
    return same and not options.force


def are_same_options(training: Mapping[str, object] | None, options: Options) -> bool:
    """Whether a model with this `training` in its metadata was made with the same options."""
    if training is None:
        return False
    try:
        before = Options.model_validate(
            {key: value for key, value in training.items() if key in Options.model_fields}
        )
    except ValidationError:
        return False
    mine, theirs = (each.model_dump(exclude=WITHOUT_EFFECT) for each in (options, before))
    return mine == theirs
