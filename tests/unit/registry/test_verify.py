"""A published model is whole, or refused by the name of the file that is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.registered import write_folder
from worker.errors import UserError
from worker.registry.folder import METADATA
from worker.registry.verify import verify


def test_a_whole_model_is_whole(tmp_path: Path) -> None:
    verify(write_folder(tmp_path / "v1_20260101"))


def append(folder: Path) -> None:
    with (folder / "held_out" / "model.json").open("a") as file:
        file.write(" ")


def flip(folder: Path) -> None:
    path = folder / "group1-shard1of1.bin"
    path.write_bytes(path.read_bytes()[::-1])


def record(folder: Path, name: str) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["files"] |= {name: {"bytes": 0, "sha256": ""}}
    (folder / "metadata.json").write_text(json.dumps(metadata))


def link_outside(folder: Path) -> None:
    (folder.parent / "elsewhere").write_text("")
    (folder / "link").symlink_to(folder.parent / "elsewhere")
    record(folder, "link")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (append, "held_out/model.json was changed"),
        (flip, "group1-shard1of1.bin was changed"),
        (lambda folder: (folder / "model.json").unlink(), "model.json is missing"),
        (lambda folder: (folder / "metadata.json").unlink(), "metadata.json is missing"),
        (lambda folder: (folder / "metadata.json").write_text("[]"), "does not say which files"),
        (lambda folder: (folder / "metadata.json").write_text('{"files": {}}'), "does not say which files"),
        (lambda folder: record(folder, "../outside.bin"), "outside.bin”, which lies outside"),
        (lambda folder: record(folder, "/etc/hostname"), "/etc/hostname”, which lies outside"),
        (link_outside, "“link”, which lies outside"),
        (lambda folder: record(folder, "held_out"), "held_out cannot be read"),
    ],
)
def test_a_model_that_is_not_whole_is_refused_by_the_name_of_its_file(
    tmp_path: Path, damage: Callable[[Path], Any], says: str
) -> None:
    folder = write_folder(tmp_path / "v1_20260101")
    damage(folder)
    with pytest.raises(UserError, match=f"{says}.*Restore the folder from a backup, or activate another"):
        verify(folder)


def test_metadata_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / METADATA).mkdir()
    with pytest.raises(UserError, match=rf"{METADATA} cannot be read: Is a directory"):
        verify(tmp_path)
