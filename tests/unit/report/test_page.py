"""A model's report.html says what it should, however much or little was measured."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.made_reports import made_report, skus, unmeasured
from tests.support.parsed_page import Page
from worker.job.promotion import Comparison, Promotion
from worker.photos.decode import open_photo
from worker.photos.thumbnails import LONGER_SIDE, MAX_BYTES, thumbnail
from worker.report.page import render
from worker.report.wording import of_hundred, percent, shortened

ROOT = Path(__file__).parents[3]


def test_headline_says_what_the_number_means_and_rests_on() -> None:
    text = Page(render(made_report(skus(5)))).text
    assert "Right on 84% of photos it had not seen (78 to 89%)" in text
    assert "rests on 60 photos of 5 products" in text
    assert "22 November 2026, 16:36 UTC" in text


def test_sections_come_in_the_order_of_their_use() -> None:
    html = render(made_report(skus(5)))
    titles = [
        " ".join(re.sub("<[^>]*>", "", title).split())
        for title in re.findall(r"<h2[^>]*>(.*?)</h2>", html, re.S)
    ]
    assert titles[1:] == [
        "Did it go live? Yes",
        "What would make it better",
        "Mistakes",
        "Photos worth a second look",
        "Can it say no?",
        "Product by product",
        "What is taken for what",
        "All products",
        "Can its confidence be believed?",
        "Training",
        "Where the time went",
        "How it was measured",
        "The job",
    ]


def test_a_model_that_stays_behind_says_so_and_why() -> None:
    promotion = Promotion(False, "The active model is right more often.", "v1_20260101", None)
    text = Page(render(replace(made_report(skus(3)), promotion=promotion))).text
    assert "Did it go live? No The active model is right more often." in text
    assert "neither" not in text


def test_nothing_measured_is_said_and_draws_nothing_of_it() -> None:
    html = render(unmeasured(made_report(skus(4))))
    text = Page(html).text
    assert "could not be measured" in text
    assert "None" not in text
    assert "photos it had not seen" not in text
    assert html.count("<svg") == 1  # time by stage
    assert "SKU-00003" in text


def test_two_products_make_a_whole_report() -> None:
    page = Page(render(made_report(skus(2))))
    assert page.tags.count("svg") == 6
    assert "None" not in page.text


def test_two_thousand_products_stay_a_small_page() -> None:
    html = render(made_report(skus(2000), photos=3))
    assert len(html.encode()) < 5_000_000
    assert html.count("SKU-01999") >= 1
    assert "These are the worst 40 of 2,000 products" in Page(html).text


def test_a_worse_model_is_shown_beside_the_active_one() -> None:
    promotion = Promotion(False, "It is worse.", "v1_20260101", Comparison(142, 3, 0.75, 0.81, 0.012))
    text = Page(render(replace(made_report(skus(3)), promotion=promotion))).text
    assert "same 142 photos of 3 products" in text
    assert "v1_20260101 81%" in text
    assert "1 of 100 such comparisons" in text


def test_no_two_parts_of_the_page_share_a_name() -> None:
    ids = re.findall(r' id="([^"]*)"', render(made_report(skus(12))))
    assert ids
    assert len(ids) == len(set(ids))


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render(made_report(skus(20))) == render(made_report(skus(20)))


def test_renders_without_a_home_and_without_a_word(tmp_path: Path) -> None:
    """A home below a file can be made by nobody, not even by root."""
    program = (
        "from tests.support.made_reports import made_report; from worker.report.page import render; "
        "print(len(render(made_report(['a', 'b', '\\u5317']))))"
    )
    home = tmp_path / "file"
    home.touch()
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program],
        cwd=ROOT,
        env=environment | {"HOME": str(home / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) > 10_000
    assert done.stderr == ""
    assert "MPLCONFIGDIR" not in os.environ


def test_shares_are_rounded_but_never_up_to_certainty() -> None:
    shares = (0.0, 0.0004, 0.005, 0.845, 0.996, 0.9999, 1.0)
    assert [percent(share) for share in shares] == ["0%", "0.1%", "0.5%", "84%", "99.6%", "99.9%", "100%"]
    assert of_hundred(0.93) == "93 of 100"


def test_long_labels_keep_both_ends_and_count_wide_letters_twice() -> None:
    assert shortened("SKU-1234567890-XL", 9) == "SKU-…0-XL"
    assert shortened("short", 9) == "short"
    assert shortened("北" * 9, 9) == "北北…北北"


@pytest.mark.parametrize("size", [(448, 1200), (1200, 448), (90, 60)])
def test_thumbnail_is_small_and_keeps_the_photo_whole(size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    noise = Image.fromarray(random.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8))
    file = BytesIO()
    noise.save(file, "JPEG", exif=b"Exif\0\0secret", icc_profile=b"secret", comment=b"secret")
    data = thumbnail(open_photo(Path("photo.jpg"), file.getvalue()))
    small = Image.open(BytesIO(data))
    assert len(data) < MAX_BYTES
    assert b"secret" in file.getvalue()
    assert b"secret" not in data
    assert max(small.size) in (LONGER_SIDE, LONGER_SIDE // 2)
    assert abs(small.width / small.height - size[0] / size[1]) < 0.1 * size[0] / size[1]
