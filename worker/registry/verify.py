"""Verifies a published model: its files must match the sizes and checksums in its `metadata.json`."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from worker.errors import UserError
from worker.registry.folder import METADATA

REMEDY = "Restore the folder from a backup, or activate another version."


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


def verify(folder: Path) -> None:
    """Read every file of a published model and compare it with its recorded size and SHA-256.

    Raises UserError with the first file that is missing or changed.
    """
    try:
        metadata = _Metadata.model_validate_json((folder / METADATA).read_bytes())
    except FileNotFoundError:
        raise UserError(f"{folder / METADATA} is missing. {REMEDY}") from None
    except OSError as error:
        raise UserError(f"{folder / METADATA} cannot be read: {error.strerror}. {REMEDY}") from None
    except ValidationError:
        metadata = _Metadata(files={})
    if not metadata.files:
        raise UserError(f"{folder / METADATA} does not say which files there are. {REMEDY}")
    for name, recorded in metadata.files.items():
        _verify_file(folder, name, recorded)


def _verify_file(folder: Path, name: str, recorded: _File) -> None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{folder / METADATA} names “{name}”, which lies outside of the folder. {REMEDY}")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except FileNotFoundError:
        raise UserError(f"{path} is missing. {REMEDY}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. {REMEDY}") from None
    if (size, sha256) != (recorded.bytes, recorded.sha256):
        raise UserError(f"{path} was changed after it was published. {REMEDY}")
