"""A published model is run from its files without TensorFlow, and answers as TensorFlow does of the same files."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench.decode_photo import decode_photo
from tests.support.backbones import BOTH, backbone_of, random_backbone, real_backbone
from tests.support.waiting import DEADLINE
from worker.arrays import softmax
from worker.backbone.architecture import Architecture
from worker.backbone.backbone import Backbone
from worker.backbone.layers import Layer, Layers, Weights, arrays
from worker.backbone.template import MODEL, Template
from worker.pipeline.published_model import read_published
from worker.registry.folder import METADATA
from worker.training.heads import Head

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Model = dict[str, Any]


@pytest.fixture(scope="module")
def backbone(cache: Path) -> Backbone:
    """The one that the published model was trained on."""
    return real_backbone(cache)


@pytest.fixture(scope="module")
def pictures(drawn_photos: Path) -> Pixels:
    """Two photos of each product, and what no product looks like."""
    photos = [
        decode_photo(file) for folder in sorted(drawn_photos.iterdir()) for file in sorted(folder.iterdir())
    ]
    noise = np.random.default_rng(7).integers(0, 256, (224, 224, 3), np.uint8)
    return np.stack([*photos[::4], np.zeros_like(noise), noise])


@pytest.fixture
def copied(published_model: Path, tmp_path: Path) -> Path:
    """A copy of the published model, to be changed."""
    return shutil.copytree(published_model, tmp_path / "copied")


def other_layers(layers: Layers) -> Layers:
    """Layers that see something else, with values that half precision holds."""
    random = np.random.default_rng(5)

    def other(array: Weights) -> Weights:
        return (array * random.uniform(0.8, 1.2, array.shape)).astype(np.float16).astype(np.float32)

    return {name: Layer(other(layer.kernel), other(layer.bias)) for name, layer in layers.items()}


def publish_with(layers: Layers, backbone: Backbone, folder: Path) -> Path:
    """Publish all of `layers`, with a head that is sure of its answers."""
    labels = ["A", "B", "C", "D", "E"]
    shape = backbone.architecture.features, len(labels)
    kernel = np.random.default_rng(3).normal(scale=20, size=shape).astype(np.float32)
    head = {"head": Layer(kernel, np.zeros(len(labels), np.float32))}
    slots = backbone.facts.slots
    values = {slots[name]: array for name, array in arrays(layers | head).items()}
    folder.mkdir()
    backbone.template.with_weights(values, products=len(labels)).write(folder)
    (folder / METADATA).write_text(json.dumps({"labels": labels}))
    return folder


def in_tensorflow(architecture: Architecture, layers: Layers, head: Head, photos: Pixels) -> Probabilities:
    # TensorFlow takes seconds to import, and most tests do without it.
    from worker.backbone.network import as_tensors, run_tail, run_trunk

    tensors = as_tensors(layers)
    tail_inputs = run_trunk(architecture, tensors, photos.astype(np.float32))
    return softmax(head.logits(run_tail(architecture, tensors, tail_inputs).numpy()))


def change_json(path: Path, change: Callable[[Model], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def without_checksums(folder: Path) -> Path:
    change_json(folder / METADATA, lambda metadata: metadata.pop("files"))
    return folder


def test_a_fine_tuned_model_answers_as_it_did_before_it_was_published(
    published_model: Path,
    backbone: Backbone,
    pictures: Pixels,
    python_probabilities: Callable[[Pixels], Probabilities],
) -> None:
    model = read_published(published_model, backbone)
    assert list(model.labels) == json.loads((published_model / METADATA).read_text())["labels"]
    answers, expected = model.predictor()(pictures), python_probabilities(pictures)
    assert answers.shape == (len(pictures), len(model.labels))
    assert answers.dtype == np.float32
    assert np.abs(answers - expected).max() <= 1e-2
    assert np.array_equal(answers.argmax(axis=1), expected.argmax(axis=1))


def test_a_published_model_answers_as_tensorflow_does_of_its_files(
    published_model: Path, backbone: Backbone, pictures: Pixels
) -> None:
    # TensorFlow takes seconds to import, and most tests do without it.
    from bench.published import load_published

    answers = read_published(published_model, backbone).predictor()(pictures)
    # The files hold the divisor of pixels in half precision, the engine divides in single.
    assert np.abs(answers - load_published(published_model).predict(pictures)).max() <= 2e-3


@pytest.mark.parametrize("name", BOTH)
def test_a_model_of_other_weights_runs_with_its_own(
    name: str, cache: Path, pictures: Pixels, tmp_path: Path
) -> None:
    backbone = backbone_of(name, cache)
    others = other_layers(backbone.layers)
    folder = publish_with(others, backbone, tmp_path / "other")
    own = read_published(publish_with(backbone.layers, backbone, tmp_path / "own"), backbone)
    model = read_published(folder, backbone)
    answers = model.predictor()(pictures)
    assert np.abs(answers - in_tensorflow(backbone.architecture, others, model.head, pictures)).max() <= 1e-4
    assert np.abs(answers - own.predictor()(pictures)).max() > 0.1


def test_a_model_of_another_architecture_is_refused(published_model: Path, cache: Path) -> None:
    with pytest.raises(ValueError, match="is not this worker's graph"):
        read_published(published_model, random_backbone(cache))


def test_threads_with_a_predictor_each_answer_alike(
    published_model: Path, backbone: Backbone, pictures: Pixels
) -> None:
    model = read_published(published_model, backbone)
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: model.predictor()(pictures[:4]), range(4)))
    assert all(np.array_equal(answer, answers[0]) for answer in answers)
    assert model.predictor()(pictures[:0]).shape == (0, len(model.labels))


def test_names_and_order_of_nodes_and_further_outputs_do_not_matter(
    copied: Path, backbone: Backbone, pictures: Pixels
) -> None:
    expected = read_published(copied, backbone).predictor()(pictures[:2])

    def rename(model: Model) -> None:
        nodes = model["modelTopology"]["node"]
        for node in nodes:
            node["name"] = f"their/{node['name']}"
            node["input"] = [f"their/{name}" for name in node.get("input", [])]
        nodes.append({"name": "further", "op": "Identity", "input": [nodes[0]["name"]], "attr": {}})
        nodes.reverse()
        for tensor in model["signature"]["outputs"].values():
            tensor["name"] = f"their/{tensor['name']}"
        model["signature"]["outputs"]["further"] = {"name": "further:0"}
        for group in model["weightsManifest"]:
            for entry in group["weights"]:
                entry["name"] = f"their/{entry['name']}"

    change_json(without_checksums(copied) / MODEL, rename)
    assert np.array_equal(read_published(copied, backbone).predictor()(pictures[:2]), expected)


def test_tensorflow_is_not_imported(published_model: Path, backbone: Backbone) -> None:
    program = f"""
import sys
from pathlib import Path
import numpy as np
from worker.backbone.backbone import Backbone, BackboneFacts
from worker.pipeline.published_model import read_published
backbone = Backbone(Path({str(backbone.folder)!r}), BackboneFacts(**{asdict(backbone.facts)!r}))
answer = read_published(Path({str(published_model)!r}), backbone).predictor()(np.zeros((1, 224, 224, 3), np.uint8))
print(round(float(answer.sum()), 3), sorted({{"tensorflow", "keras"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout == "1.0 []\n", done.stderr


def shard(folder: Path) -> Path:
    return min(folder.glob("*.bin"))


def flip(folder: Path) -> None:
    content = bytearray(shard(folder).read_bytes())
    content[len(content) // 2] ^= 1
    shard(folder).write_bytes(content)


def truncate(folder: Path) -> None:
    shard(without_checksums(folder)).write_bytes(shard(folder).read_bytes()[:-100])


def not_a_number(folder: Path) -> None:
    content = np.frombuffer(shard(without_checksums(folder)).read_bytes(), np.float16).copy()
    content[len(content) // 2] = np.nan
    shard(folder).write_bytes(content.tobytes())


def of_metadata(change: Callable[[Model], object]) -> Callable[[Path], None]:
    return lambda folder: change_json(folder / METADATA, change)


def of_model(change: Callable[[Model], object]) -> Callable[[Path], None]:
    return lambda folder: change_json(without_checksums(folder) / MODEL, change)


def another_operation(model: Model) -> None:
    [softmax] = [node for node in model["modelTopology"]["node"] if node["op"] == "Softmax"]
    softmax["op"] = "Sigmoid"


def another_stride(model: Model) -> None:
    node = next(node for node in model["modelTopology"]["node"] if node["op"] == "_FusedConv2D")
    node["attr"]["strides"]["list"]["i"] = ["1", "3", "3", "1"]


def cut_the_graph(model: Model) -> None:
    del model["modelTopology"]["node"][5:]


def transposed(model: Model) -> None:
    """The largest kernel, Conv_1's, and its data stays as long as it was."""
    entry = max(model["weightsManifest"][0]["weights"], key=lambda entry: math.prod(entry["shape"]))
    entry["shape"] = [1, 1, *entry["shape"][:1:-1]]


def another_input_scale(folder: Path) -> None:
    without_checksums(folder)
    template = Template.read(folder)
    [name] = [name for name in template.weights if name.endswith("truediv_recip")]
    template.with_weights({name: np.array([1 / 255], np.float32)}, products=4).write(folder)


def another_kind(model: Model) -> None:
    model.clear()
    model.update({"format": "layers-model", "modelTopology": {"config": {}}, "weightsManifest": []})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip, r"group1-shard1of\d\.bin is not as it was published: .*SHA-256"),
        (truncate, r"group1-shard1of\d\.bin.* hold \d+ bytes instead of \d+"),
        (not_a_number, "has values that are not finite numbers"),
        (lambda folder: (folder / METADATA).write_text("{"), "metadata.json is damaged"),
        (lambda folder: (folder / METADATA).write_text("[]"), "metadata.json is not an object"),
        (of_metadata(lambda metadata: metadata.pop("labels")), "has no list"),
        (of_metadata(lambda metadata: metadata.update(labels=[])), "has no list"),
        (of_metadata(lambda metadata: metadata.update(labels=[1, 2, 3, 4])), "has no list"),
        (of_metadata(lambda metadata: metadata.update(files=[])), "has no object"),
        (of_metadata(lambda metadata: metadata["labels"].pop()), "has 3 labels, .* 4 outputs"),
        (lambda folder: (without_checksums(folder) / MODEL).write_text("{"), "model.json.* not whole"),
        (of_model(another_kind), "model.json is not a graph that gives probabilities"),
        (of_model(another_operation), "model.json is not this worker's graph: .*Softmax does not compute"),
        (of_model(another_stride), "model.json is not this worker's graph: .* does not compute"),
        (of_model(cut_the_graph), "model.json is not this worker's graph: .* does not compute"),
        (of_model(transposed), r"last/kernel has the shape \(1, 1, 1280, 320\) instead of"),
        (another_input_scale, "model.json is not this worker's graph: its constant .*recip differs"),
        (of_model(lambda model: model.pop("signature")), "not a graph that gives probabilities"),
    ],
)
def test_a_damaged_or_foreign_model_is_refused_with_what_is_wrong_and_where(
    copied: Path, backbone: Backbone, damage: Callable[[Path], object], message: str
) -> None:
    damage(copied)
    with pytest.raises(ValueError, match=message) as raised:
        read_published(copied, backbone)
    assert str(copied) in str(raised.value)


@pytest.mark.parametrize("name", [METADATA, MODEL, "group1-shard1of2.bin"])
@pytest.mark.parametrize("checksums", [True, False])
def test_a_missing_file_is_named(copied: Path, backbone: Backbone, name: str, checksums: bool) -> None:
    if not checksums:
        without_checksums(copied)
    (copied / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        read_published(copied, backbone)
