"""Stage 3: the backbone, MobileNetV2 1.0/224 without its top (Sandler et al., CVPR 2018)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from worker.errors import ErrorCode, JobError
from worker.training.photo import SIDE

NAME = "MobileNetV2 1.0/224"
IMAGENET, RANDOM = "imagenet", "random"
SUPPLY = (
    "Set BASE_WEIGHTS to the path of mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5, "
    "the file that keras.applications.MobileNetV2 downloads, or put it into $KERAS_HOME/models."
)


@dataclass(frozen=True)
class Backbone:
    """A frozen network from photos to features, with what identifies its weights.

    `model` takes float32 `[n, 224, 224, 3]` in -1 to 1 and gives float32 `[n, 1280]`.
    """

    model: keras.Model
    weights: str
    weights_sha256: str


def build_model(base_weights: str, seed: int) -> Backbone:
    """Build the backbone with `imagenet` weights, those of a file's path, or `random` ones.

    Raises JobError `base_weights_unavailable` or `base_weights_invalid`.
    """
    keras.utils.set_random_seed(seed)
    if base_weights == RANDOM:
        model = _random(seed)
    elif base_weights == IMAGENET:
        model = _imagenet()
    else:
        model = _from_file(Path(base_weights))
    model.trainable = False
    return Backbone(model, Path(base_weights).name, _sha256(model))


def _random(seed: int) -> keras.Model:
    """Random weights whose features vary: untouched ones give the same features for every photo.

    Each batch normalisation takes its statistics from smooth random colours, as training would from photos
    (data-dependent initialisation, Krähenbühl et al., ICLR 2016).
    """
    model = _mobilenet(None)
    coarse = np.random.default_rng(seed).uniform(-1, 1, (16, 7, 7, 3)).astype(np.float32)
    photos = keras.ops.image.resize(coarse, (SIDE, SIDE), interpolation="bicubic")

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(photos, training=True)
    return model


def _imagenet() -> keras.Model:
    try:
        return _mobilenet(IMAGENET)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise JobError(
            ErrorCode.BASE_WEIGHTS_UNAVAILABLE,
            f"The ImageNet weights are not in Keras's cache and could not be downloaded. {SUPPLY}",
        ) from error


def _from_file(path: Path) -> keras.Model:
    if not path.is_file():
        raise JobError(
            ErrorCode.BASE_WEIGHTS_UNAVAILABLE, f"BASE_WEIGHTS names {path}, where there is no file. {SUPPLY}"
        )
    try:
        return _mobilenet(str(path))
    except (ValueError, OSError, KeyError) as error:
        raise JobError(
            ErrorCode.BASE_WEIGHTS_INVALID,
            f"{path} does not hold the weights of {NAME} without its top. {SUPPLY}",
        ) from error


def _mobilenet(weights: str | None) -> keras.Model:
    return keras.applications.MobileNetV2(
        input_shape=(SIDE, SIDE, 3), include_top=False, pooling="avg", weights=weights
    )


def _sha256(model: keras.Model) -> str:
    """Of all weights in the order of the layers: the same for a file and its download."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(array.tobytes())
    return digest.hexdigest()
