"""Imports the graph-model converter of the package tensorflowjs, and only that."""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

# The converter imports these but never uses them, and they cannot be installed together.
UNUSED = ("tensorflow_decision_forests", "tensorflow_hub")


def import_converter() -> Any:
    """The module with `convert_tf_saved_model` and `convert_keras_model_to_graph_model`. Raises ImportError."""
    for name in UNUSED:
        sys.modules.setdefault(name, ModuleType(name))
    # The packages' own __init__ modules import every converter, and with them packages that are not installed.
    for name in ("tensorflowjs", "tensorflowjs.converters"):
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ImportError(f"{name} is not installed: run the project's set-up again.")
        package = ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations or ())
        package.__spec__ = spec
        sys.modules[name] = package
    return importlib.import_module("tensorflowjs.converters.tf_saved_model_conversion_v2")
