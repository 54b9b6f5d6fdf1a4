"""The active model is where its row says, and whole, or named; what is not ours is not looked into."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.registered import write_folder
from worker.registry.folder import METADATA
from worker.registry.live import OutputIncomplete, require_live, require_output
from worker.registry.models import Active

VERSION = "v1_20260101"
OURS, THEIRS = ({"top1": 0.9, "by_product": [], "by_product_left_out": 0}, {"accuracy": 0.9})


def row(metrics: Mapping[str, object] | None = None, path: str = f"models/{VERSION}") -> Active:
    return Active(VERSION, path, json.dumps(OURS if metrics is None else metrics))


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def changed(folder: Path) -> None:
    path = folder / "model.json"
    path.write_bytes(path.read_bytes()[::-1])


def shorter(folder: Path) -> None:
    (folder / "model.json").write_bytes(b"{")


Damage = Callable[[Path], object]


@pytest.mark.parametrize("metrics", [OURS, THEIRS])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "held_out" / "model.json").unlink(), "held_out/model.json is missing"),
        (shorter, "model.json was changed after it was published"),
        (changed, "model.json was changed after it was published"),
        (emptied, f"{VERSION} is missing or empty"),
        (shutil.rmtree, f"{VERSION} is missing or empty"),
        (lambda folder: shutil.rmtree(folder.parent), f"{VERSION} is missing or empty"),
    ],
)
def test_a_model_that_is_not_whole_is_named_whoever_published_it(
    tmp_path: Path, damage: Damage, says: str, metrics: Mapping[str, object]
) -> None:
    damage(write_folder(tmp_path / "models" / VERSION))
    with pytest.raises(OutputIncomplete, match=says) as raised:
        require_live(tmp_path / "models", row(metrics), contents=True)
    assert str(raised.value).startswith(f"The active model {VERSION} is not whole: {tmp_path}")
    assert "worker models adopt" in str(raised.value)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / METADATA).unlink(), f"{METADATA} is missing"),
        (
            lambda folder: (folder / METADATA).write_text("{"),
            f"{METADATA} does not say which files there are",
        ),
    ],
)
def test_without_a_record_of_its_files_a_model_is_damaged_if_it_is_ours(
    tmp_path: Path, damage: Damage, says: str
) -> None:
    """What the script before this worker published has no such record."""
    damage(write_folder(tmp_path / VERSION))
    require_live(tmp_path, row(THEIRS), contents=True)
    with pytest.raises(OutputIncomplete, match=says):
        require_live(tmp_path, row(OURS))


def test_sizes_are_compared_at_each_look_and_contents_when_asked_for(tmp_path: Path) -> None:
    changed(write_folder(tmp_path / VERSION))
    require_live(tmp_path, row())
    with pytest.raises(OutputIncomplete):
        require_live(tmp_path, row(), contents=True)


@pytest.mark.parametrize("path", ["/srv/www/models/v1", f"wwwroot/models/{VERSION}", ""])
def test_a_model_whose_row_has_it_elsewhere_is_not_looked_for(tmp_path: Path, path: str) -> None:
    require_live(tmp_path, row(path=path), contents=True)


def test_the_output_is_created_only_where_no_model_is_known_in_it(tmp_path: Path) -> None:
    models = tmp_path / "data" / "models"
    with pytest.raises(OutputIncomplete, match="is no folder"):
        require_output(models, None, known=True, contents=True)
    assert not models.parent.exists()
    require_output(models, None, known=False, contents=True)
    assert models.is_dir()
