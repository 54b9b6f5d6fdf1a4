"""A template says where photos lie, and never leads out of the storage."""

from pathlib import PurePosixPath

import pytest

from worker.job.photo_path import DEFAULT_TEMPLATE, PhotoPath

ROW = {"ProductId": "7", "SKU": "CUP", "PhotoId": "70", "FileName": "a.jpg"}


@pytest.mark.parametrize(
    ("template", "path", "folder"),
    [
        (DEFAULT_TEMPLATE, "products/7/a.jpg", "products"),
        ("products/{FileName}", "products/a.jpg", "products"),
        ("{FileName}", "a.jpg", "."),
        ("a b/c/{SKU}-{PhotoId}.jpg", "a b/c/CUP-70.jpg", "a b/c"),
        ("x/{SKU}/y/{FileName}", "x/CUP/y/a.jpg", "x"),
    ],
)
def test_a_photo_lies_where_its_columns_say(template: str, path: str, folder: str) -> None:
    layout = PhotoPath(template)
    assert layout.of(ROW) == PurePosixPath(path)
    assert layout.shown(ROW) == path
    assert layout.folder == PurePosixPath(folder)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("", "must have {FileName} or {PhotoId}"),
        ("products/{ProductId}/photo.jpg", "must have {FileName} or {PhotoId}"),
        ("{Id}/{FileName}", "no column {Id}: it may have {ProductId}, {SKU}, {PhotoId}, {FileName}"),
        ("{}/{FileName}", "no column {}"),
        ("{fileName}", "no column {fileName}"),
        ("{FileName", "a brace in it belongs to no column"),
        ("{FileName:>10}", "a brace in it belongs to no column"),
        ("{{FileName}}", "a brace in it belongs to no column"),
        ("/products/{FileName}", "begins with /"),
        ("../{FileName}", "“..” is no name"),
        ("products/../../{FileName}", "“..” is no name"),
        ("./{FileName}", "“.” is no name"),
        ("products//{FileName}", "“” is no name"),
        ("{FileName}/", "“” is no name"),
        ("products\\{FileName}", "no backslash"),
        ("products\0/{FileName}", "no control character"),
    ],
)
def test_a_wrong_template_is_refused_with_a_sentence(template: str, says: str) -> None:
    with pytest.raises(ValueError) as raised:
        PhotoPath(template)
    assert says in str(raised.value)


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "/etc", "../up", "a\0b", "x" * 256, "ä" * 128])
@pytest.mark.parametrize("column", ["ProductId", "SKU", "FileName"])
def test_no_value_leads_anywhere_else(column: str, value: str) -> None:
    """An "Id" of type text is anything, too."""
    layout = PhotoPath("{ProductId}/{SKU}/{FileName}")
    assert layout.of(ROW | {column: value}) is None


def test_values_that_are_harmless_each_make_no_harmful_name_together() -> None:
    assert PhotoPath("{SKU}{FileName}").of(ROW | {"SKU": ".", "FileName": "."}) is None
    assert PhotoPath(".{FileName}").of(ROW | {"FileName": "."}) is None
    assert PhotoPath("{SKU}{FileName}").of(ROW | {"SKU": "x" * 200, "FileName": "x" * 200}) is None


def test_only_the_columns_of_the_template_count() -> None:
    row = ROW | {"FileName": None, "ProductId": "a/b"}
    layout = PhotoPath("{SKU}/{PhotoId}.jpg")
    assert layout.is_complete(row)
    assert layout.of(row) == PurePosixPath("CUP/70.jpg")
    assert not PhotoPath("{FileName}").is_complete(row)
    assert PhotoPath("{FileName}").shown(row) == "NULL"
