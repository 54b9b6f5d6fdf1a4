"""A published model, run by TensorFlow.js in Node and in a real browser, on the demo's page."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image

from bench.decode_photo import decode_photo
from demo.node import install, run_node
from demo.serve import serve
from tests.support.trained_here import TrainedHere
from worker.photos.decode import SIDE

SCRIPTS = Path(__file__).parent / "tfjs"
TOLERANCE = 0.03  # half-precision weights, and two libraries' order of adding
NODE_SECONDS = 500  # on a busy machine, with no graphics card
SCORE_TOLERANCE = 0.1  # for the same reasons, in standard deviations of one of its parts

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.floating[Any]]


@pytest.fixture(scope="session", autouse=True)
def packages() -> None:
    install()


@pytest.fixture(scope="session")
def pictures() -> Pixels:
    """Pictures as unlike each other as can be had without a camera."""
    random = np.random.default_rng(7)
    down, across = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    waves = [127 + 127 * np.sin(frequency * across + 3 * down) for frequency in (9, 31, 70)]
    disc = np.hypot(down - 0.5, across - 0.5) < 0.35
    drawn = [
        np.zeros((SIDE, SIDE, 3)),
        np.full((SIDE, SIDE, 3), (200, 40, 30)),
        random.integers(0, 256, (SIDE, SIDE, 3)),
        random.integers(0, 256, (7, 7, 3)).repeat(32, axis=0).repeat(32, axis=1),
        np.stack([255 * across, 255 * down, 255 * (1 - across)], axis=-1),
        np.stack(waves, axis=-1),
        np.where(disc[..., None], (240, 210, 20), (90, 140, 60)),
        np.where(disc[..., None], (30, 60, 200), 255) * (0.5 + 0.5 * down[..., None]),
    ]
    return np.stack(drawn).astype(np.uint8)


@pytest.fixture(scope="session")
def node_answer(
    published_model: Path, pictures: Pixels, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    return predict_in_node(published_model, pictures, tmp_path_factory.mktemp("pixels"))


@pytest.fixture(scope="session")
def clearest(
    pictures: Pixels, node_answer: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, int]:
    """The picture that leaves Node least in doubt, as a file, and the index of Node's answer."""
    probabilities = np.array(node_answer["probabilities"])
    chosen = int(margins(probabilities).argmax())
    photo = tmp_path_factory.mktemp("photo") / "clearest.png"
    Image.fromarray(pictures[chosen]).save(photo)
    return photo, int(probabilities[chosen].argmax())


def test_node_agrees_with_python(
    pictures: Pixels, node_answer: dict[str, Any], python_probabilities: Callable[[Pixels], Probabilities]
) -> None:
    expected = python_probabilities(pictures)
    actual = np.array(node_answer["probabilities"])
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= TOLERANCE
    clear = margins(expected) > TOLERANCE
    assert clear.any()
    assert (actual.argmax(axis=1) == expected.argmax(axis=1))[clear].all()


def test_node_gives_the_score_of_python(
    pictures: Pixels, node_answer: dict[str, Any], trained: TrainedHere
) -> None:
    expected, given = trained.answer(pictures).scores, np.array(node_answer["scores"])
    assert given.shape == expected.shape == (len(pictures),)
    assert np.ptp(expected) > 1
    assert np.abs(given - expected).max() <= SCORE_TOLERANCE


def test_node_sees_the_promised_shapes(
    published_model: Path, pictures: Pixels, node_answer: dict[str, Any]
) -> None:
    labels = metadata(published_model)["labels"]
    assert node_answer["input"] == {"shape": [-1, SIDE, SIDE, 3], "dtype": "float32"}
    assert node_answer["output"] == {"shape": [len(pictures), len(labels)], "dtype": "float32"}
    assert np.array(node_answer["probabilities"]).sum(axis=1) == pytest.approx(1, abs=1e-3)


def test_browser_answers_as_node_does(published_model: Path, clearest: tuple[Path, int]) -> None:
    photo, answer = clearest
    sku = metadata(published_model)["labels"][answer]
    with serve(published_model, [(sku, photo)]) as server:
        page = open_page(server.url, "--sample", 0)
    assert page["state"] == "done", page["problem"]
    assert page["top"][0]["sku"] == sku
    assert len(page["top"]) == min(3, len(metadata(published_model)["labels"]))
    assert page["verdict"] == "Right"
    assert page["backend"] == "webgl"
    assert page["errors"] == []
    assert page["foreign"] == []


@pytest.mark.parametrize("name", ["sideways.jpg", "see-through.png", "huge.webp", "tiny.png"])
def test_page_prepares_a_photo_as_training_does(name: str, tmp_path: Path, pictures: Pixels) -> None:
    photo, prepared = tmp_path / name, tmp_path / "pixels.bin"
    make_photo(photo, Image.fromarray(pictures[5]))
    with serve(tmp_path / "no model", []) as server:
        open_page(server.url, "--prepare", photo, "--prepared", prepared)
    theirs = np.fromfile(prepared, np.uint8).reshape(SIDE, SIDE, 3).astype(int)
    difference = np.abs(theirs - decode_photo(photo))
    assert difference.mean() <= 1.5
    assert difference.max() <= 12


def test_model_of_other_labels_is_refused(published_model: Path, tmp_path: Path) -> None:
    other = shutil.copytree(published_model, tmp_path / "other")
    (other / "metadata.json").write_text(json.dumps({**metadata(other), "label_scheme": "imagenet"}))
    with serve(other, []) as server:
        page = open_page(server.url)
    assert page["state"] == "refused"
    assert "“imagenet”" in page["problem"]
    assert page["problem"].endswith("load the page again.")
    assert page["top"] == []


def test_missing_model_is_told(tmp_path: Path) -> None:
    with serve(tmp_path / "nothing", []) as server:
        page = open_page(server.url)
    assert page["state"] == "refused"
    assert page["problem"].startswith("No model could be loaded: metadata.json was not readable")


def test_file_that_is_no_photo_is_told(published_model: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("not a photo")
    with serve(published_model, []) as server:
        page = open_page(server.url, "--drop", notes)
    assert page["state"] == "problem"
    assert page["problem"] == "“notes.txt” is not a photo this browser can read. Try a JPEG, PNG or WebP."
    assert page["top"] == []
    assert page["errors"] == []


def make_photo(path: Path, picture: Image.Image) -> None:
    """A photo that needs what its name says; none is square."""
    match path.stem:
        case "sideways":
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = 6
            picture.resize((1500, 940)).save(path, exif=exif, quality=92)
        case "see-through":
            picture = picture.resize((500, 700)).convert("RGBA")
            picture.putalpha(Image.linear_gradient("L").resize(picture.size))
            picture.save(path)
        case "huge":
            picture.resize((4000, 3000)).save(path, quality=92)
        case _:
            picture.resize((100, 60)).save(path)


def margins(probabilities: Probabilities) -> Probabilities:
    """By how much the likeliest product is ahead of the next, for each picture."""
    ordered = np.sort(probabilities, axis=1)
    lead: Probabilities = ordered[:, -1] - ordered[:, -2]
    return lead


def metadata(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    return read


def predict_in_node(model: Path, pixels: Pixels, folder: Path) -> dict[str, Any]:
    (folder / "pixels.bin").write_bytes(pixels.tobytes())
    answer: dict[str, Any] = json.loads(
        run_node(SCRIPTS / "predict.mjs", model, folder / "pixels.bin", len(pixels), timeout=NODE_SECONDS)
    )
    return answer


def open_page(url: str, *given: object) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(run_node(SCRIPTS / "browser.mjs", "--url", url, *given))
    return page
