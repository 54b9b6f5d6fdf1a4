"""Verifies a published model: its files must match the sizes and checksums in its `metadata.json`."""

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ValidationError

from worker.errors import UserError
from worker.registry.folder import METADATA

REMEDY = "Restore the folder from a backup, or activate another version."
ACTIVE_REMEDY = (
    "Mount or restore the folder, or activate another version with `worker models activate`; to start anew "
    "without it, run `worker models adopt`."
)


class NotWhole(UserError):
    """A file is missing, was changed, or cannot be read: `fault` is the sentence that names it."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"{fault} {REMEDY}")
        self.fault = fault


class Unrecorded(NotWhole):
    """No `metadata.json` says which files there are: the folder is damaged, or another program made it."""


class _File(BaseModel):
    bytes: int
    sha256: str


class _Metadata(BaseModel):
    files: dict[str, _File]


def version_folder(models: Path, version: str) -> Path:
    """The folder of a version in `models`; raises UserError where its name is a path to somewhere else."""
    if Path(version).name != version or version.startswith("."):
        raise UserError(
            f'The version “{version}” in "ModelMetadata" cannot be the name of a folder: rename it.'
        )
    return models / version


def verify(folder: Path, *, contents: bool = True) -> None:
    """Compare every file of a published model with its recorded size and, with `contents`, its recorded SHA-256.

    Without `contents` no file is read but `metadata.json`: this takes a millisecond.
    Raises NotWhole with the first file that is missing or changed, Unrecorded where no file is recorded.
    """
    try:
        metadata = _Metadata.model_validate_json((folder / METADATA).read_bytes())
    except FileNotFoundError:
        raise Unrecorded(f"{folder / METADATA} is missing.") from None
    except OSError as error:
        raise NotWhole(f"{folder / METADATA} cannot be read: {error.strerror}.") from None
    except ValidationError:
        metadata = _Metadata(files={})
    if not metadata.files:
        raise Unrecorded(f"{folder / METADATA} does not say which files there are.")
    for name, recorded in metadata.files.items():
        _verify_file(folder, name, recorded, contents)


def _verify_file(folder: Path, name: str, recorded: _File, contents: bool) -> None:
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise NotWhole(f"{folder / METADATA} names “{name}”, which lies outside of the folder.")
        with path.open("rb") as file:
            same = os.fstat(file.fileno()).st_size == recorded.bytes
            if same and contents:
                same = hashlib.file_digest(file, "sha256").hexdigest() == recorded.sha256
    except FileNotFoundError:
        raise NotWhole(f"{path} is missing.") from None
    except OSError as error:
        raise NotWhole(f"{path} cannot be read: {error.strerror}.") from None
    if not same:
        raise NotWhole(f"{path} was changed after it was published.")


def active_not_whole(version: str, fault: str) -> str:
    """The message for an active model that nothing may replace by itself, because its files are lost or damaged."""
    return f"The active model {version} is not whole: {fault} {ACTIVE_REMEDY}"
