"""A model's report.html says what it should, however much or little was measured."""

import re
from dataclasses import replace
from functools import cache

from tests.support.made_reports import HOSTILE, SCRIPT, hostile_report, made_report, skus, unmeasured
from tests.support.parsed_page import Page
from worker.job.job import RANDOM
from worker.job.promotion import Comparison, Promotion
from worker.report import wording
from worker.report.page import render


@cache
def page_of(products: int) -> str:
    """Of so many products; drawing it takes a second."""
    return render(made_report(skus(products)))


def test_headline_says_what_the_number_means_and_rests_on() -> None:
    text = Page(page_of(5)).text
    assert "Right on 84% of photos it had not seen (78 to 89%)" in text
    assert "rests on 60 photos of 5 products" in text
    assert "22 November 2026, 16:36 UTC" in text


def test_a_model_of_random_weights_says_first_that_it_recognises_nothing() -> None:
    report = made_report(skus(3))
    of_random_weights = replace(report, backbone=replace(report.backbone, weights=RANDOM))
    text = Page(render(of_random_weights)).text
    assert wording.RECOGNISES_NOTHING in text
    assert text.index(wording.RECOGNISES_NOTHING) < text.index("Right on")
    assert "recognises nothing" not in Page(page_of(5)).text


def test_sections_come_in_the_order_of_their_use() -> None:
    html = page_of(5)
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
    small = Page(page_of(2))
    assert small.tags.count("svg") == 6
    assert "None" not in small.text


def test_of_many_products_the_worst_are_shown() -> None:
    html = render(made_report(skus(200), photos=3))
    assert html.count("SKU-00199") >= 1
    assert "These are the worst 40 of 200 products" in Page(html).text


def test_a_worse_model_is_shown_beside_the_active_one() -> None:
    promotion = Promotion(False, "It is worse.", "v1_20260101", Comparison(142, 3, 0.75, 0.81, 0.012))
    text = Page(render(replace(made_report(skus(3)), promotion=promotion))).text
    assert "same 142 photos of 3 products" in text
    assert "v1_20260101 81%" in text
    assert "1 of 100 such comparisons" in text


def test_no_two_parts_of_the_page_share_a_name() -> None:
    ids = re.findall(r' id="([^"]*)"', page_of(5))
    assert ids
    assert len(ids) == len(set(ids))


def test_names_are_text_and_nothing_else() -> None:
    page = Page(render(hostile_report()))
    assert not {"script", "iframe", "object", "embed", "link", "base", "form", "a"} & set(page.tags)
    assert page.tags.count("img") == 15
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    addresses = [
        value for _, name, value in page.attributes if name in ("src", "href", "action", "xlink:href")
    ]
    assert addresses
    assert all(value.startswith(("data:image/jpeg;base64,", "#")) for value in addresses)
    assert not [value for _, name, value in page.attributes if name == "style" and "//" in value]
    for name in (SCRIPT, *HOSTILE[1:8], HOSTILE[10]):
        assert " ".join(name.split()) in page.text


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render(made_report(skus(5))) == page_of(5)
