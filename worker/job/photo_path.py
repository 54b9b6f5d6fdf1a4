"""Where a photo's file lies below the storage: a template of columns, such as `products/{ProductId}/{FileName}`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

DEFAULT_TEMPLATE: Final = "products/{ProductId}/{FileName}"

COLUMNS: Final = ("ProductId", "SKU", "PhotoId", "FileName")
"""What a template may name: "Id" and "SKU" of "Products", "Id" and "FileName" of "ProductPhotos"."""
# Of these, one must be in it: the others are the same for all photos of a product.
_OF_PHOTO: Final = {"PhotoId", "FileName"}

LONGEST_NAME: Final = 255
"""Most bytes of a file's name in Linux."""

_COLUMN: Final = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True)
class PhotoPath:
    """A template. Raises ValueError, with a sentence, for one that leads out of the storage or names no photo."""

    template: str = DEFAULT_TEMPLATE

    def __post_init__(self) -> None:
        check_template(self.template)

    @property
    def folder(self) -> PurePosixPath:
        """The folders that all photos have in common; `.` where these are none."""
        names = self.template.split("/")[:-1]
        common = next((place for place, name in enumerate(names) if _COLUMN.search(name)), len(names))
        return PurePosixPath(*names[:common])

    def is_complete(self, row: Mapping[str, str | None]) -> bool:
        """Whether `row` has a value for each column of the template."""
        return all(row[column] is not None for column in _COLUMN.findall(self.template))

    def of(self, row: Mapping[str, str | None]) -> PurePosixPath | None:
        """The path below the storage of the photo with these columns; `None` where a value is no file's name."""
        values = [row[column] or "" for column in _COLUMN.findall(self.template)]
        if any(value in ("", ".", "..") or "/" in value or "\0" in value for value in values):
            return None
        names = self.shown(row).split("/")
        if any(name in (".", "..") or len(name.encode()) > LONGEST_NAME for name in names):
            return None
        return PurePosixPath(*names)

    def shown(self, row: Mapping[str, str | None]) -> str:
        """The path for messages, with NULL for a value that is missing; it may lead anywhere."""
        return _COLUMN.sub(
            lambda found: row[found[1]] or ("NULL" if row[found[1]] is None else ""), self.template
        )


def check_template(template: str) -> str:
    """Return `template`, or raise ValueError with what is wrong about it."""
    named = _COLUMN.findall(template)
    known = ", ".join(f"{{{column}}}" for column in COLUMNS)
    if unknown := [column for column in named if column not in COLUMNS]:
        raise ValueError(f"there is no column {{{unknown[0]}}}: it may have {known}")
    if any(brace in _COLUMN.sub("", template) for brace in "{}"):
        raise ValueError(f"a brace in it belongs to no column: it may have {known}")
    if not _OF_PHOTO & set(named):
        raise ValueError("it must have {FileName} or {PhotoId}, or several photos would be one file")
    if "\\" in template or not template.isprintable():
        raise ValueError("it may have no backslash and no control character: folders are separated by /")
    if template.startswith("/"):
        raise ValueError("it begins with /, but it is a path below STORAGE_PATH")
    if wrong := [name for name in template.split("/") if name in ("", ".", "..")]:
        raise ValueError(f"“{wrong[0]}” is no name of a folder or file below STORAGE_PATH")
    return template
