"""Runs a published TensorFlow.js model in TensorFlow: the very files, not the model that they came from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from google.protobuf import json_format


@dataclass(frozen=True)
class PublishedModel:
    """`labels` are SKUs in the order of the outputs."""

    labels: list[str]
    _function: Any

    def predict(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Probabilities float32 `[n, products]` of RGB uint8 `[n, 224, 224, 3]`."""
        probabilities: npt.NDArray[np.float32] = self._function(tf.constant(pixels, tf.float32)).numpy()
        return probabilities


def load_published(folder: Path) -> PublishedModel:
    """Read the graph, its weights and its labels. Raises OSError or ValueError where they are not whole."""
    model = json.loads((folder / "model.json").read_text())
    graph = tf.compat.v1.GraphDef()
    json_format.ParseDict(model["modelTopology"], graph, ignore_unknown_fields=True)
    weights = _weights(folder, model["weightsManifest"])
    for node in graph.node:
        if node.name in weights:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name]))
    [photo], [probabilities] = (
        [tensor["name"] for tensor in model["signature"][side].values()] for side in ("inputs", "outputs")
    )
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    function = wrapped.prune(photo, probabilities)
    return PublishedModel(json.loads((folder / "metadata.json").read_text())["labels"], function)


def _weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    weights: dict[str, npt.NDArray[Any]] = {}
    for group in manifest:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        start = 0
        for entry in group["weights"]:
            dtype = np.dtype(entry["dtype"])
            stored = np.dtype(entry.get("quantization", {}).get("dtype", dtype))
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(data, stored, count, start).astype(dtype)
            weights[entry["name"]] = values.reshape(entry["shape"])
            start += count * stored.itemsize
    return weights
