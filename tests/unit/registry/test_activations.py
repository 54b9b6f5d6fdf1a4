"""Going back from a model leads to the one that was active before it, and never in a circle."""

import pytest

from worker.registry.activations import Activation, before


def history(*versions: str | None) -> list[Activation]:
    return [Activation(version, None, "", "", "2026-01-01T00:00:00Z") for version in versions]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ((), None),
        (("a",), None),
        (("a", "b"), "a"),
        (("a", "b", "a"), None),
        (("a", "b", "c", "b"), "a"),
        (("a", "b", "c", "b", "a"), None),
        (("a", "b", "c", "b", "d"), "b"),
        (("a", None, "b"), "a"),
        (("a", "b", None), "b"),
    ],
    ids=str,
)
def test_going_back_never_leads_to_a_model_that_was_gone_back_from(
    versions: tuple[str | None, ...], expected: str | None
) -> None:
    assert before(history(*versions), versions[-1] if versions else None) == expected
