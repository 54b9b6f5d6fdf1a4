"""Options are what the contract says, or refused by their name."""

import json
from typing import Any

import pytest

from worker.errors import JobError
from worker.job.options import Promote, parse_options


def test_options_come_as_json_has_them() -> None:
    sent = '{"profile": "quick", "promote": "never", "force": true, "negatives": ["A-1", "B-2"]}'
    options = parse_options(sent)
    assert (options.promote, options.force, options.negatives) == (Promote.NEVER, True, ("A-1", "B-2"))
    assert options.model_dump(mode="json").items() >= json.loads(sent).items()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"epoch": 3}, "epoch"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": "3"}, "epochs"),
        ({"promote": "sometimes"}, "promote"),
        ({"force": "yes"}, "force"),
        ({"force": 1}, "force"),
        ({"negatives": "A-1"}, "negatives"),
        ({"negatives": {"A-1": 1}}, "negatives"),
        ({"negatives": ["A-1", 7]}, "negatives.1"),
        ({"negatives": None}, "negatives"),
    ],
)
def test_an_option_of_another_type_is_refused_by_its_name(options: dict[str, Any], key: str) -> None:
    with pytest.raises(JobError, match=f"wrong: {key}:"):
        parse_options(json.dumps(options))
