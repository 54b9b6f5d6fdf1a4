"""Numbers and names as people read them."""

import pytest

from worker.report.wording import duration, of_hundred, percent, shortened


def test_shares_are_rounded_but_never_up_to_certainty() -> None:
    shares = (0.0, 0.0004, 0.005, 0.845, 0.996, 0.9999, 1.0)
    assert [percent(share) for share in shares] == ["0%", "0.1%", "0.5%", "84%", "99.6%", "99.9%", "100%"]
    assert of_hundred(0.93) == "93 of 100"


def test_long_labels_keep_both_ends_and_count_wide_letters_twice() -> None:
    assert shortened("SKU-1234567890-XL", 9) == "SKU-…0-XL"
    assert shortened("short", 9) == "short"
    assert shortened("北" * 9, 9) == "北北…北北"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(9.96, "10.0 s"), (119, "119 s"), (121, "2 min"), (7_140, "119 min"), (7_260, "2 h 1 min")],
)
def test_a_duration_has_the_unit_that_is_read_at_a_glance(seconds: float, said: str) -> None:
    assert duration(seconds) == said
