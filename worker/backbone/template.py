"""Replaces the weights of converted graphs, without TensorFlow."""

import copy
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.backbone.layers import Weights, in_engine_order

MODEL = "model.json"
OUTPUT, SCORE_NODE = "probabilities", "score"
"""The names of the graph's output nodes; only the first is in its signature, so that a prediction is one tensor."""

PARTS = 4
"""Of the out-of-distribution score."""

HEAD = {"head/kernel": ("features", "products"), "head/bias": ("products",)}
SCORE = {
    "score/mean": ("features", "one"),
    "score/scale": ("products",),
    "score/shift": ("products",),
    "score/half_lengths": ("products",),
    "score/basis": ("products", "rank"),
    "score/weights": ("parts",),
    "score/constant": ("one",),
}
"""The arrays that each model has of its own, and their axes."""

SHARD_BYTES = 4 * 1024 * 1024

Stored = npt.NDArray[Any]
Node = Mapping[str, Any]


@dataclass(frozen=True)
class Template:
    """A TensorFlow.js graph: `model` is the content of `model.json`; `weights` are in the manifest's order, with
    their stored types."""

    model: dict[str, Any]
    weights: dict[str, Stored]

    @classmethod
    def read(cls, folder: Path) -> "Template":
        """Read the files that TensorFlow.js's converter wrote. Raises OSError or ValueError where incomplete."""
        path = folder / MODEL
        try:
            model = json.loads(path.read_text())
            groups = [_read_group(folder, group) for group in model["weightsManifest"]]
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not the description of a TensorFlow.js graph model") from error
        except ValueError as error:
            raise ValueError(f"{path} and the weights that it names are not whole: {error}") from error
        return cls(model, {name: values for group in groups for name, values in group.items()})

    def with_named_outputs(self) -> "Template":
        """Return the same graph with output nodes called OUTPUT and SCORE_NODE, the latter not in the signature."""
        model = copy.deepcopy(self.model)
        outputs = model["signature"]["outputs"]
        names = {_node_name(output["name"]): key for key, output in outputs.items()}
        for node in model["modelTopology"]["node"]:
            node["name"] = names.get(node["name"], node["name"])
            if "input" in node:
                node["input"] = [names.get(_node_name(tensor), tensor) for tensor in node["input"]]
        outputs[OUTPUT]["name"] = f"{OUTPUT}:0"
        del outputs[SCORE_NODE]
        return Template(model, self.weights)

    def with_weights(self, replacing: Mapping[str, Weights], products: int) -> "Template":
        """Return the same graph with the values in `replacing` for its weights, and `products` outputs.

        Weights whose number of values changes get the shape of the new ones; all types stay. Raises ValueError for a
        value that the weight's type cannot represent.
        """
        model = copy.deepcopy(self.model)
        weights = dict(self.weights)
        for name, values in replacing.items():
            stored = self.weights[name]
            cast = _cast(name, values, stored.dtype)
            weights[name] = _with_axes_of(stored, cast)
        shapes = {name: [int(size) for size in stored.shape] for name, stored in weights.items()}
        for group in model["weightsManifest"]:
            for entry in group["weights"]:
                entry["shape"] = shapes[entry["name"]]
        for node in model["modelTopology"]["node"]:
            if node["name"] in replacing:
                tensor = node["attr"]["value"]["tensor"]
                tensor["tensorShape"] = {"dim": [{"size": str(size)} for size in shapes[node["name"]]]}
        model["signature"]["outputs"][OUTPUT]["tensorShape"]["dim"][-1]["size"] = str(products)
        return Template(model, weights)

    def with_float_type(self, float_type: type[np.floating], exact: Collection[str] = ()) -> "Template":
        """Return the same graph with float weights stored as `float_type`, but for those with names in `exact`;
        clients still compute in float32.

        Raises ValueError for a value that the type cannot represent.
        """
        weights = {
            name: _cast(name, stored, np.dtype(float_type))
            if np.issubdtype(stored.dtype, np.floating) and name not in exact
            else stored
            for name, stored in self.weights.items()
        }
        quantization = {"quantization": {"dtype": np.dtype(float_type).name, "original_dtype": "float32"}}
        model = copy.deepcopy(self.model)
        for group in model["weightsManifest"]:
            for entry in group["weights"]:
                entry.pop("quantization", None)
                if entry["dtype"] == "float32" and weights[entry["name"]].dtype != np.float32:
                    entry |= quantization
        return Template(model, weights)

    def counterparts(self, other: "Template") -> dict[str, str]:
        """Map each node that the probabilities are computed from to its name in `other`.

        The order of nodes, their names, other outputs and the values of weights may differ. Raises ValueError
        where `other` computes anything else.
        """
        ours, theirs = self._nodes(), other._nodes()
        names: dict[str, str] = {}
        waiting = [(self._output(), other._output())]
        while waiting:
            here, there = waiting.pop()
            if here not in names:
                if there not in theirs or _operation(ours[here]) != _operation(theirs[there]):
                    raise ValueError(f"its {there} does not compute what this worker's {here} does")
                names[here] = there
                waiting += zip(_inputs(ours[here]), _inputs(theirs[there]), strict=True)
            elif names[here] != there:
                raise ValueError(f"its {there} and its {names[here]} both stand for this worker's {here}")
        return names

    def write(self, folder: Path) -> None:
        """Write `model.json` and `group1-shard*.bin` into `folder`."""
        data = b"".join(stored.tobytes() for stored in self.weights.values())
        shards = [data[start : start + SHARD_BYTES] for start in range(0, len(data), SHARD_BYTES)]
        paths = [f"group1-shard{number}of{len(shards)}.bin" for number in range(1, len(shards) + 1)]
        for path, shard in zip(paths, shards, strict=True):
            (folder / path).write_bytes(shard)
        entries = [entry for group in self.model["weightsManifest"] for entry in group["weights"]]
        manifest = [{"paths": paths, "weights": entries}]
        (folder / MODEL).write_text(json.dumps(self.model | {"weightsManifest": manifest}))

    def _nodes(self) -> dict[str, Node]:
        return {node["name"]: node for node in self.model["modelTopology"]["node"]}

    def _output(self) -> str:
        return _node_name(self.model["signature"]["outputs"][OUTPUT]["name"])


def fill_engine(engine: bytes, offsets: Mapping[str, int], values: Mapping[str, Weights]) -> bytes:
    """Return the same LiteRT model with `values`, in the shapes of `Layer`, at their `offsets`."""
    filled = bytearray(engine)
    for name, array in values.items():
        data = in_engine_order(array).astype(np.float32).tobytes()
        filled[offsets[name] : offsets[name] + len(data)] = data
    return bytes(filled)


def _with_axes_of(stored: Stored, values: Stored) -> Stored:
    """The values with as many axes as `stored` has: the converters add axes of length 1."""
    if values.ndim == stored.ndim:
        return values
    if values.size == stored.size:
        return values.reshape(stored.shape)
    return values.reshape((1,) * (stored.ndim - values.ndim) + values.shape)


def _cast(name: str, values: Stored, dtype: np.dtype[Any]) -> Stored:
    cast = values.astype(dtype)
    if not np.isfinite(cast).all():
        raise ValueError(f"a weight of {name} is beyond what {dtype.name} holds, or not a number")
    return cast


def _read_group(folder: Path, group: Mapping[str, Any]) -> dict[str, Stored]:
    """The weights of one group of the manifest, by name. Raises ValueError where its files have another size."""
    data = b"".join((folder / path).read_bytes() for path in group["paths"])
    dtypes = [np.dtype(entry.get("quantization", entry)["dtype"]) for entry in group["weights"]]
    counts = [math.prod(entry["shape"]) for entry in group["weights"]]
    size = sum(count * dtype.itemsize for count, dtype in zip(counts, dtypes, strict=True))
    if size != len(data):
        raise ValueError(f"{', '.join(group['paths'])} hold {len(data)} bytes instead of {size}")
    weights: dict[str, Stored] = {}
    start = 0
    for entry, dtype, count in zip(group["weights"], dtypes, counts, strict=True):
        weights[entry["name"]] = np.frombuffer(data, dtype, count, start).reshape(entry["shape"])
        start += count * dtype.itemsize
    return weights


def _operation(node: Node) -> tuple[Any, ...]:
    """A node's operation, number of inputs and attributes, without those that a converter inferred (`_…`)."""
    attributes = {name: value for name, value in node.get("attr", {}).items() if name[0] != "_"}
    attributes.pop("value", None)
    return node["op"], len(_inputs(node)), attributes


def _inputs(node: Node) -> list[str]:
    return [_node_name(tensor) for tensor in node.get("input", [])]


def _node_name(tensor: str) -> str:
    """The node's name without the index of its output, which is always 0 here."""
    return tensor.removesuffix(":0")
