"""Finds and downloads the file with the backbone's weights."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from worker.backbone.architecture import NAME
from worker.errors import ErrorCode, JobError
from worker.photos.decode import SIDE

IMAGENET, RANDOM = "imagenet", "random"
FILE_NAME = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
SUPPLY = (
    f"Set BASE_WEIGHTS to the path of {FILE_NAME}, the file that keras.applications.MobileNetV2 downloads, "
    f"or put it into $KERAS_HOME/models."
)


@dataclass(frozen=True)
class WeightsFile:
    """A weights file; `path` is `None` for random weights, `sha256` identifies the content."""

    name: str
    path: Path | None
    sha256: str


def find_weights(base_weights: str) -> WeightsFile | None:
    """Find the weights file; return `None` for ImageNet's where it is not downloaded yet.

    Raises JobError `base_weights_unavailable` where BASE_WEIGHTS names no file, OSError where it cannot be read.
    """
    if base_weights == RANDOM:
        return WeightsFile(RANDOM, None, RANDOM)
    path = _downloaded() if base_weights == IMAGENET else Path(base_weights)
    if path.is_file():
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return WeightsFile(path.name, path, sha256)
    if base_weights == IMAGENET:
        return None
    raise JobError(
        ErrorCode.BASE_WEIGHTS_UNAVAILABLE, f"BASE_WEIGHTS names {path}, where there is no file. {SUPPLY}"
    )


def download() -> None:
    """Have Keras download ImageNet's weights. Raises JobError `base_weights_unavailable`."""
    import keras

    try:
        keras.applications.MobileNetV2(include_top=False, input_shape=(SIDE, SIDE, 3))
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise JobError(
            ErrorCode.BASE_WEIGHTS_UNAVAILABLE,
            f"The ImageNet weights are not in Keras's cache and could not be downloaded. {SUPPLY}",
        ) from error


def not_kept() -> JobError:
    """The error for a download that Keras could not keep in its cache."""
    return JobError(
        ErrorCode.BASE_WEIGHTS_UNAVAILABLE,
        f"Keras cannot write to {_downloaded().parent}, where the weights it downloads are looked for. {SUPPLY}",
    )


def unusable(weights: WeightsFile, error: Exception) -> JobError:
    """The error for a file in which Keras found no such weights."""
    text = f"{weights.path} does not hold the weights of {NAME} without its top ({error}). {SUPPLY}"
    return JobError(ErrorCode.BASE_WEIGHTS_INVALID, text)


def _downloaded() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models" / FILE_NAME
