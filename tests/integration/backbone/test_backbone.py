"""A backbone is compiled once for all who want it, and used only while it is what was compiled."""

import contextlib
import json
import multiprocessing
import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from tests.support.backbones import BOTH, MOBILENET, backbone_of, random_backbone
from worker.arrays import Floats
from worker.backbone.backbone import ENGINE, FACTS, LAYERS, TEMPLATE, Backbone, BackboneFacts
from worker.backbone.cache import CHECKSUMS, cached_backbone
from worker.backbone.engine import litert_engine
from worker.backbone.layers import Layer, arrays, digest, in_engine_order, load_layers, save_layers
from worker.backbone.template import HEAD, MODEL, SCORE, SHARD_BYTES, Template, fill_engine
from worker.backbone.weights import own_weights
from worker.errors import ErrorCode, JobError

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module", params=BOTH)
def backbone(request: pytest.FixtureRequest, cache: Path) -> Backbone:
    return backbone_of(request.param, cache)


@pytest.fixture(scope="module")
def one(cache: Path) -> Backbone:
    """A backbone for tests to which it is all the same which one it is."""
    return random_backbone(cache)


@pytest.fixture
def own_cache(one: Backbone, tmp_path: Path) -> Path:
    """A cache with a copy of the compiled backbone, to be damaged."""
    shutil.copytree(one.folder, tmp_path / "cache" / "backbones" / one.folder.name)
    return tmp_path / "cache"


def head(backbone: Backbone, products: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(products)
    kernel = random.normal(size=(backbone.architecture.features, products))
    return kernel.astype(np.float32), random.normal(size=products).astype(np.float32)


def with_head(backbone: Backbone, kernel: Floats, bias: Floats) -> Template:
    slots = backbone.facts.slots
    values = {slots["head/kernel"]: kernel, slots["head/bias"]: bias}
    return backbone.template.with_weights(values, products=len(bias)).with_float_type(np.float16)


@pytest.mark.parametrize("products", [2, 3, 700])
def test_a_template_with_another_head_is_read_as_it_was_written(
    backbone: Backbone, products: int, tmp_path: Path
) -> None:
    kernel, bias = head(backbone, products)
    with_head(backbone, kernel, bias).write(tmp_path)
    read = Template.read(tmp_path)
    slots = backbone.facts.slots
    assert list(read.weights) == list(backbone.template.weights)
    for name, stored in read.weights.items():
        if name == slots["head/kernel"]:
            assert np.array_equal(stored, kernel.astype(np.float16))
        elif name == slots["head/bias"]:
            assert np.array_equal(stored.ravel(), bias.astype(np.float16))
        else:
            assert np.array_equal(stored, backbone.template.weights[name].astype(stored.dtype))


@pytest.mark.parametrize("products", [1, 2, 3, 700])
def test_everything_that_counts_products_counts_the_same(
    backbone: Backbone, products: int, tmp_path: Path
) -> None:
    with_head(backbone, *head(backbone, products)).write(tmp_path)
    model = json.loads((tmp_path / MODEL).read_text())
    slots = backbone.facts.slots
    [output] = model["signature"]["outputs"].values()
    assert int(output["tensorShape"]["dim"][-1]["size"]) == products
    [group] = model["weightsManifest"]
    entries = {entry["name"]: entry for entry in group["weights"]}
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    for part, shape in (("kernel", [backbone.architecture.features, products]), ("bias", [products])):
        name = slots[f"head/{part}"]
        assert [size for size in entries[name]["shape"] if size != 1] == [size for size in shape if size != 1]
        sizes = [int(axis["size"]) for axis in nodes[name]["attr"]["value"]["tensor"]["tensorShape"]["dim"]]
        assert sizes == entries[name]["shape"]
    data = sum((tmp_path / path).stat().st_size for path in group["paths"])
    assert data == sum(stored.nbytes for stored in Template.read(tmp_path).weights.values())


def test_shards_are_of_four_mebibytes_at_most_and_all_there(backbone: Backbone, tmp_path: Path) -> None:
    with_head(backbone, *head(backbone, 2000)).write(tmp_path)
    [group] = json.loads((tmp_path / MODEL).read_text())["weightsManifest"]
    sizes = [(tmp_path / path).stat().st_size for path in group["paths"]]
    assert len(sizes) > 3
    assert sizes[:-1] == [SHARD_BYTES] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= SHARD_BYTES == 4 << 20
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([MODEL, *group["paths"]])


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("value", [70_000.0, -70_000.0, np.inf, np.nan])
def test_a_weight_that_float16_cannot_hold_is_refused(backbone: Backbone, value: float) -> None:
    kernel, bias = head(backbone, 3)
    kernel[5, 1] = value
    with pytest.raises(ValueError, match=r"beyond what float\d+ holds, or not a number"):
        with_head(backbone, kernel, bias)


def test_a_template_stays_as_it_is_when_another_is_made_of_it(backbone: Backbone, tmp_path: Path) -> None:
    before, kernel = json.dumps(backbone.template.model), backbone.facts.slots["head/kernel"]
    products = backbone.template.weights[kernel].shape[-1]
    with_head(backbone, *head(backbone, 9)).write(tmp_path)
    assert json.dumps(backbone.template.model) == before
    assert backbone.template.weights[kernel].shape[-1] == products != 9


def test_a_template_that_is_not_whole_is_refused(backbone: Backbone, tmp_path: Path) -> None:
    folder = shutil.copytree(backbone.folder / TEMPLATE, tmp_path / "template")
    last = max(folder.glob("*.bin"))
    last.write_bytes(last.read_bytes()[:-2])
    with pytest.raises(ValueError, match=rf"{last.name} hold \d+ bytes instead of \d+"):
        Template.read(folder)
    last.unlink()
    with pytest.raises(FileNotFoundError):
        Template.read(folder)
    (folder / MODEL).write_text("{")
    with pytest.raises(ValueError):
        Template.read(folder)


def test_every_layer_and_the_head_have_slots_of_their_own(backbone: Backbone) -> None:
    slots = backbone.facts.slots
    layers = {f"{name}/{part}" for name in backbone.architecture.shapes for part in ("kernel", "bias")}
    assert set(slots) == layers | set(HEAD) | set(SCORE)
    assert len(set(slots.values())) == len(slots)
    for name, array in arrays(backbone.layers).items():
        stored = backbone.template.weights[slots[name]]
        assert np.array_equal(stored.ravel(), array.ravel())


def test_the_engine_holds_every_layer_at_an_offset_of_its_own(backbone: Backbone) -> None:
    offsets, layers = backbone.facts.offsets, arrays(backbone.layers)
    assert set(offsets) == set(layers)
    engine = backbone.engine.read_bytes()
    ends = {name: start + layers[name].nbytes for name, start in offsets.items()}
    in_order = sorted(offsets, key=offsets.__getitem__)
    assert all(ends[name] <= offsets[after] for name, after in pairwise(in_order))
    for name, array in layers.items():
        assert engine[offsets[name] : ends[name]] == in_engine_order(array).tobytes()
    assert fill_engine(engine, offsets, layers) == engine


def test_layers_that_are_all_alike_are_converted(backbone: Backbone, tmp_path: Path) -> None:
    zeros = {
        name: Layer(np.zeros_like(layer.kernel), np.zeros_like(layer.bias))
        for name, layer in backbone.layers.items()
    }
    # In the process where other tests import TensorFlow already.
    from worker.backbone.conversion import convert

    convert(backbone.architecture, zeros, "zeros", tmp_path)
    facts = BackboneFacts(**json.loads((tmp_path / FACTS).read_text()))
    assert (facts.slots, facts.offsets) == (backbone.facts.slots, backbone.facts.offsets)
    black = np.zeros((1, 224, 224, 3), np.uint8)
    assert not litert_engine(Backbone(tmp_path, facts))(black).tail_inputs.any()


def test_layers_are_read_as_they_were_written(backbone: Backbone, tmp_path: Path) -> None:
    layers = backbone.layers
    assert set(layers) == set(backbone.architecture.shapes)
    assert digest(layers) == backbone.facts.weights_sha256
    save_layers(layers, tmp_path / LAYERS)
    assert digest(load_layers(tmp_path / LAYERS)) == digest(layers)
    (tmp_path / LAYERS).write_bytes(b"")
    with pytest.raises((OSError, ValueError, EOFError)):
        load_layers(tmp_path / LAYERS)


def written(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in sorted(folder.rglob("*"))}


def test_what_is_compiled_is_used_as_it_is_and_nothing_is_written(own_cache: Path, one: Backbone) -> None:
    before = written(own_cache)
    assert random_backbone(own_cache).facts == one.facts
    assert written(own_cache) == before


def want(cache: Path, start: Barrier) -> None:
    start.wait()
    random_backbone(cache)


def test_a_backbone_is_compiled_once_for_two_who_want_it_at_once_though_one_was_killed_and_it_is_damaged(
    own_cache: Path, one: Backbone
) -> None:
    folder = own_cache / "backbones" / one.folder.name
    (folder / FACTS).unlink()
    left = folder.with_suffix(".unfinished")
    shutil.copytree(one.folder / TEMPLATE, left / TEMPLATE)
    (left / "half").write_text("what a killed process left")
    start = SPAWN.Barrier(3)
    processes = [SPAWN.Process(target=want, args=(own_cache, start)) for _ in range(2)]
    for process in processes:
        process.start()
    seen = set()
    start.wait()
    while any(process.is_alive() for process in processes):
        # Whatever stands in the folder's place for a moment, each writing of it has another inode.
        with contextlib.suppress(FileNotFoundError):
            if (folder / FACTS).exists():
                seen.add((folder / FACTS).stat().st_ino)
        time.sleep(0.01)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    seen.add((folder / FACTS).stat().st_ino)
    assert len(seen) == 1
    assert not left.exists()
    assert not (folder / "half").exists()
    compiled = random_backbone(own_cache)
    assert compiled.facts == one.facts
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [CHECKSUMS, ENGINE, FACTS, LAYERS, TEMPLATE]
    )
    black = np.zeros((1, 224, 224, 3), np.uint8)
    seen_here, seen_there = (litert_engine(each)(black) for each in (compiled, one))
    assert seen_here.tail_inputs.shape == (1, *one.architecture.tail_input)
    assert np.abs(seen_here.features.astype(np.float32) - seen_there.features).max() <= 2e-3


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def write_nonsense(path: Path) -> None:
    path.write_text('"nonsense"')


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (ENGINE, truncate),
        (ENGINE, flip),
        (LAYERS, flip),
        (LAYERS, Path.unlink),
        (f"{TEMPLATE}/{MODEL}", empty),
        (f"{TEMPLATE}/group1-shard3of3.bin", Path.unlink),
        (FACTS, empty),
        (FACTS, write_nonsense),
        (CHECKSUMS, Path.unlink),
        (CHECKSUMS, empty),
        (CHECKSUMS, write_nonsense),
    ],
)
def test_a_damaged_backbone_is_not_used_but_compiled_again(
    own_cache: Path,
    one: Backbone,
    name: str,
    damage: Callable[[Path], None],
) -> None:
    damage(own_cache / "backbones" / one.folder.name / name)
    # Compiling takes seconds; a file in the way of its folder tells that it was to be.
    unfinished = own_cache / "backbones" / f"{one.folder.name}.unfinished"
    unfinished.write_text("in the way")
    with pytest.raises(FileExistsError):
        random_backbone(own_cache)


def test_a_file_of_something_else_is_told_and_leaves_no_backbone(tmp_path: Path) -> None:
    wrong = tmp_path / "weights.h5"
    wrong.write_text("no weights")
    with pytest.raises(JobError) as raised:
        cached_backbone(own_weights(MOBILENET, wrong), tmp_path / "cache")
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_INVALID
    assert str(wrong) in raised.value.message
    assert list((tmp_path / "cache" / "backbones").glob("*/")) == list(
        (tmp_path / "cache" / "backbones").glob("*.unfinished/")
    )
