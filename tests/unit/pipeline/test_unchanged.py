"""Nothing is trained where nothing that makes a model has changed; whatever has, or is in doubt, is trained."""

import json
from pathlib import Path
from typing import Any

import pytest

from worker.job.job import ActiveModel
from worker.job.options import Options, Profile, Promote
from worker.pipeline.unchanged import is_unchanged

MADE_OF, OTHERWISE = "ab" * 32, "cd" * 32


def active(folder: Path, options: Options, **changes: object) -> ActiveModel:
    """An active model that says of itself that it came of these options."""
    training = options.model_dump(mode="json") | {"method": "lda, shrinkage 0.3", "reason": "", "views": 4}
    metadata = {"fingerprint": MADE_OF, "training": training} | changes
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return ActiveModel("v1767225600_20260101", folder)


GIVEN = Options(profile=Profile.QUICK, negatives=("BAG",), seed=3)


def test_the_same_photos_and_options_give_the_same_model(tmp_path: Path) -> None:
    model = active(tmp_path, GIVEN)
    assert is_unchanged(model, MADE_OF, GIVEN)
    assert not is_unchanged(model, OTHERWISE, GIVEN)


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": Profile.STANDARD},
        {"seed": 4},
        {"epochs": 2},
        {"time_budget_seconds": 60.0},
        {"negatives": ()},
        {"force": True},
    ],
)
def test_another_option_or_force_is_reason_enough_to_train(tmp_path: Path, changes: dict[str, Any]) -> None:
    asked = GIVEN.model_copy(update=changes)
    assert not is_unchanged(active(tmp_path, GIVEN), MADE_OF, asked)


@pytest.mark.parametrize("promote", Promote)
def test_what_is_done_with_the_model_does_not_matter(tmp_path: Path, promote: Promote) -> None:
    forced = GIVEN.model_copy(update={"promote": Promote.NEVER, "force": True})
    assert is_unchanged(active(tmp_path, forced), MADE_OF, GIVEN.model_copy(update={"promote": promote}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"fingerprint": "x"}',
        '{"fingerprint": "x", "training": null}',
        '{"fingerprint": "x", "training": {"profile": "slow"}}',
        '{"fingerprint": "x", "training": {"epochs": "many"}}',
        "\xff\xfe",
    ],
)
def test_a_model_that_cannot_say_what_it_came_of_is_trained_anew(tmp_path: Path, text: str) -> None:
    model = active(tmp_path, GIVEN)
    (tmp_path / "metadata.json").write_bytes(text.replace("x", MADE_OF).encode("latin-1"))
    assert not is_unchanged(model, MADE_OF, GIVEN)
    (tmp_path / "metadata.json").unlink()
    assert not is_unchanged(model, MADE_OF, GIVEN)


def test_a_model_of_a_time_before_an_option_counts_as_of_its_default(tmp_path: Path) -> None:
    model = active(tmp_path, Options())
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    del metadata["training"]["negatives"]
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    assert is_unchanged(model, MADE_OF, Options())
    assert not is_unchanged(model, MADE_OF, GIVEN)
