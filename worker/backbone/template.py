"""A converted TensorFlow.js graph whose tail and head can be given other weights, without TensorFlow."""

import copy
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PLACEHOLDER_PRODUCTS = 3
MODEL = "model.json"
SHARD_BYTES = 4 * 1024 * 1024

Stored = npt.NDArray[Any]


@dataclass(frozen=True)
class Template:
    """`model` is the content of `model.json`; `weights` are in the manifest's order, floats as float16."""

    model: dict[str, Any]
    weights: dict[str, Stored]

    @classmethod
    def read(cls, folder: Path) -> "Template":
        """Read what TensorFlow.js's converter wrote. Raises OSError or ValueError where it is not whole."""
        model = json.loads((folder / MODEL).read_text())
        weights: dict[str, Stored] = {}
        for group in model["weightsManifest"]:
            data = b"".join((folder / path).read_bytes() for path in group["paths"])
            start = 0
            for entry in group["weights"]:
                dtype = np.dtype(entry.get("quantization", entry)["dtype"])
                count = int(np.prod(entry["shape"]))
                weights[entry["name"]] = np.frombuffer(data, dtype, count, start).reshape(entry["shape"])
                start += count * dtype.itemsize
        return cls(model, weights)

    def with_weights(self, replacing: Mapping[str, npt.NDArray[np.float32]], products: int) -> "Template":
        """The same graph with other values for the weights named, and so many outputs.

        The head's shapes become those of its values, all others stay. Raises ValueError for a value that
        float16 cannot hold.
        """
        model = copy.deepcopy(self.model)
        weights = dict(self.weights)
        for name, values in replacing.items():
            small = values.astype(np.float16)
            if not np.isfinite(small).all():
                raise ValueError(f"a weight of {name} is beyond what float16 holds, or not a number")
            shape = self.weights[name].shape
            weights[name] = small.reshape(shape) if small.size == math.prod(shape) else small
        shapes = {name: [int(size) for size in stored.shape] for name, stored in weights.items()}
        for group in model["weightsManifest"]:
            for entry in group["weights"]:
                entry["shape"] = shapes[entry["name"]]
        for node in model["modelTopology"]["node"]:
            if node["name"] in replacing:
                tensor = node["attr"]["value"]["tensor"]
                tensor["tensorShape"] = {"dim": [{"size": str(size)} for size in shapes[node["name"]]]}
        [output] = model["signature"]["outputs"].values()
        output["tensorShape"]["dim"][-1]["size"] = str(products)
        return Template(model, weights)

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
