"""Runs the frozen backbone on a photo's views, on one core, or on a GPU where TensorFlow sees one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from worker.backbone.backbone import Backbone

Views = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Forward:
    """For each view: features float16 `[views, features]` and the tail's inputs float16 `[views, *tail_input]`."""

    features: npt.NDArray[np.float16]
    tail_inputs: npt.NDArray[np.float16]


GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")

Engine = Callable[[Views], Forward]
"""A forward pass of views uint8 `[views, 224, 224, 3]`. Each thread needs an engine of its own."""


def make_engine(backbone: Backbone) -> Engine:
    """Return the fastest engine on this machine. Raises ValueError or OSError for a damaged cache."""
    return tensorflow_engine(backbone) if has_gpu() else litert_engine(backbone)


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU; imports TensorFlow, which takes seconds, only where there is a device file."""
    if not any(Path(device).exists() for device in GPU_DEVICES):
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def litert_engine(backbone: Backbone) -> Engine:
    """LiteRT with XNNPACK on one thread, one view at a time: two such engines in parallel are faster than one with
    two threads, and than batches."""
    run = Interpreter(str(backbone.engine), num_threads=1).get_signature_runner()
    architecture = backbone.architecture

    def forward(views: Views) -> Forward:
        features = np.empty((len(views), architecture.features), np.float16)
        tail_inputs = np.empty((len(views), *architecture.tail_input), np.float16)
        for index, view in enumerate(views):
            outputs = run(photo=view[None].astype(np.float32))
            features[index], tail_inputs[index] = outputs["features"][0], outputs["tail_input"][0]
        return Forward(features, tail_inputs)

    return forward


def tensorflow_engine(backbone: Backbone) -> Engine:
    """TensorFlow on its default device, all of a photo's views in one batch."""
    import tensorflow as tf

    from worker.backbone.network import as_tensors, run_tail, run_trunk

    architecture, tensors = backbone.architecture, as_tensors(backbone.layers)

    @tf.function(reduce_retracing=True)
    def run(views: Any) -> tuple[Any, Any]:
        tail_inputs = run_trunk(architecture, tensors, tf.cast(views, tf.float32))
        return run_tail(architecture, tensors, tail_inputs), tail_inputs

    def forward(views: Views) -> Forward:
        return Forward(*(output.numpy().astype(np.float16) for output in run(views)))

    return forward
