"""The TensorFlow.js converter, in a process of its own that is ready before it is needed."""

import importlib
import importlib.util
import multiprocessing
import os
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from worker.child.lifeline import die_with_parent

# The graph-model converter never uses these, and they do not install beside one another.
UNUSED = ("tensorflow_decision_forests", "tensorflow_hub")


class Converter:
    """A context manager; its process starts, and imports TensorFlow, when it is entered."""

    def __init__(self) -> None:
        self._process = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(os.getpid(),),
        )
        self._ready: Future[None] | None = None

    def __enter__(self) -> Self:
        self._ready = self._process.submit(_ready)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.shutdown(wait=error is None, cancel_futures=True)

    def convert(self, keras_file: Path, folder: Path) -> None:
        """Write the `.keras` model as a float16 graph model: `model.json` and `group1-shard*.bin`."""
        self._process.submit(_convert, str(keras_file), str(folder)).result()


def _start(parent: int) -> None:
    die_with_parent(parent)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    for name in UNUSED:
        sys.modules[name] = ModuleType(name)
    # The packages' own __init__ import every converter there is, and with them what is not installed.
    for name in ("tensorflowjs", "tensorflowjs.converters"):
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ImportError(f"{name} is not installed; run the project's set-up again")
        package = ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations or ())
        sys.modules[name] = package
    _converter()


def _ready() -> None:
    """Returns when the process has started."""


def _converter() -> Any:
    return importlib.import_module("tensorflowjs.converters.tf_saved_model_conversion_v2")


def _convert(keras_file: str, folder: str) -> None:
    import keras

    model = keras.saving.load_model(keras_file, compile=False)
    _converter().convert_keras_model_to_graph_model(model, folder, quantization_dtype_map={"float16": True})
