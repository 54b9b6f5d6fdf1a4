"""Runs the frozen backbone over a photo's views, on one core, or on a GPU where TensorFlow sees one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from worker.backbone.architecture import ACTIVATIONS, FEATURES
from worker.backbone.cache import CompiledBackbone

Views = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Forward:
    """Of `views` views: features float16 `[views, 2816]`, and what entered the tail, `[views, 14, 14, 96]`."""

    features: npt.NDArray[np.float16]
    activations: npt.NDArray[np.float16]


GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")

Engine = Callable[[Views], Forward]
"""Runs uint8 `[views, 224, 224, 3]`. Each thread needs one of its own."""


def make_engine(backbone: CompiledBackbone) -> Engine:
    """The fastest there is on this machine. Raises ValueError or OSError for a broken cache."""
    return tensorflow_engine(backbone) if has_gpu() else litert_engine(backbone)


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU. It is asked only where there is a device: importing it takes seconds."""
    if not any(Path(device).exists() for device in GPU_DEVICES):
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def litert_engine(backbone: CompiledBackbone) -> Engine:
    """LiteRT with XNNPACK on one thread, a view at a time: two of them beside each other are faster than one
    with two threads, and than batches."""
    run = Interpreter(str(backbone.engine), num_threads=1).get_signature_runner()

    def forward(views: Views) -> Forward:
        features = np.empty((len(views), FEATURES), np.float16)
        entering = np.empty((len(views), *ACTIVATIONS), np.float16)
        for place, view in enumerate(views):
            outputs = run(photo=view[None].astype(np.float32))
            features[place], entering[place] = outputs["features"][0], outputs["activations"][0]
        return Forward(features, entering)

    return forward


def tensorflow_engine(backbone: CompiledBackbone) -> Engine:
    """TensorFlow, all of a photo's views at once, where it runs best."""
    import tensorflow as tf

    from worker.backbone.network import activations, as_tensors, features

    tensors = as_tensors(backbone.layers)

    @tf.function(reduce_retracing=True)
    def run(views: Any) -> tuple[Any, Any]:
        entering = activations(tensors, tf.cast(views, tf.float32))
        return features(tensors, entering), entering

    def forward(views: Views) -> Forward:
        return Forward(*(output.numpy().astype(np.float16) for output in run(views)))

    return forward
