"""Runs the files of a published TensorFlow.js model in TensorFlow."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from google.protobuf import json_format

from worker.backbone.template import Template


@dataclass(frozen=True)
class PublishedModel:
    """`labels` are the SKUs in the order of the outputs, `metadata` the content of metadata.json."""

    labels: list[str]
    metadata: dict[str, Any]
    _function: Any
    _with_scores: Any

    def predict(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Probabilities float32 `[n, products]` of RGB uint8 `[n, 224, 224, 3]`."""
        probabilities: npt.NDArray[np.float32] = self._function(tf.constant(pixels, tf.float32)).numpy()
        return probabilities

    def answer(
        self, pixels: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Of one run: probabilities, and the score float32 `[n]`, higher for photos of the model's products.

        Raises ValueError for a model whose metadata has no node for the score.
        """
        if self._with_scores is None:
            raise ValueError("The model's metadata.json has no output.score.node: train it anew.")
        probabilities, scores = self._with_scores(tf.constant(pixels, tf.float32))
        return probabilities.numpy(), scores.numpy()


def load_published(folder: Path) -> PublishedModel:
    """Read the graph, its weights and its labels. Raises OSError or ValueError where they are incomplete."""
    template = Template.read(folder)
    model = template.model
    graph = tf.compat.v1.GraphDef()
    json_format.ParseDict(model["modelTopology"], graph, ignore_unknown_fields=True)
    _unfuse(graph)
    for node in graph.node:
        if (stored := template.weights.get(node.name)) is not None:
            values = stored.astype(np.float32) if stored.dtype == np.float16 else stored
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    [photo], [probabilities] = (
        [tensor["name"] for tensor in model["signature"][side].values()] for side in ("inputs", "outputs")
    )
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    metadata = json.loads((folder / "metadata.json").read_text())
    node = metadata.get("output", {}).get("score", {}).get("node")
    return PublishedModel(
        labels=metadata["labels"],
        metadata=metadata,
        _function=wrapped.prune(photo, probabilities),
        _with_scores=wrapped.prune(photo, [probabilities, f"{node}:0"]) if node else None,
    )


def _unfuse(graph: Any) -> None:
    """Split the one operation that TensorFlow lacks, FusedDepthwiseConv2dNative, into ones that it has."""
    for node in [node for node in graph.node if node.op == "FusedDepthwiseConv2dNative"]:
        values, kernel, bias = node.input
        *inner, last = ["DepthwiseConv2dNative", *(step.decode() for step in node.attr["fused_ops"].list.s)]
        name, inputs = node.name, [values, kernel]
        for op in inner:
            part = graph.node.add(name=f"{name}/{op}", op=op, input=inputs)
            part.attr["T"].type = node.attr["T"].type
            if op == "DepthwiseConv2dNative":
                for key in ("strides", "padding", "data_format", "dilations"):
                    part.attr[key].CopyFrom(node.attr[key])
            inputs = [part.name, bias] if op == "DepthwiseConv2dNative" else [part.name]
        kind = node.attr["T"].type
        node.Clear()
        node.name, node.op = name, last
        node.input.extend(inputs)
        node.attr["T"].type = kind
