"""What the active model's own files say of it."""

from pydantic import BaseModel, ValidationError

from worker.job.job import ActiveModel
from worker.registry.folder import METADATA


class ActiveBackbone(BaseModel):
    """The names of the architecture and of the weights' content."""

    architecture: str | None = None
    weights_sha256: str | None = None


class ActiveMetadata(BaseModel):
    """The parts of a `metadata.json` that a later job reads; those that it lacks are empty.

    `training` has the model's options among others. `labels` are SKUs where `label_scheme` is `sku`.
    """

    backbone: ActiveBackbone = ActiveBackbone()
    fingerprint: str | None = None
    recipe: str | None = None
    training: dict[str, object] | None = None
    label_scheme: str | None = None
    labels: tuple[str, ...] = ()


def read_active_metadata(active: ActiveModel | None) -> ActiveMetadata:
    """All of it is empty where there is no active model, where its file cannot be read, or is another program's."""
    if active is None:
        return ActiveMetadata()
    try:
        return ActiveMetadata.model_validate_json((active.folder / METADATA).read_bytes())
    except (OSError, ValidationError):
        return ActiveMetadata()
