"""The metrics that a model reports and that can be measured again."""

from collections.abc import Mapping
from typing import Any

ACCURACY = ("top1", "top1_low", "top1_high", "calibration_error", "photos")
SIDES = ("near", "far")
THRESHOLDS = ("accept", "suggest")


def reported(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics in a metadata.json, with each threshold's in `passed`; `None` where one is not reported."""
    accuracy, rejection = metadata["accuracy"], metadata["rejection"] or {}
    return {
        **{name: accuracy[name] for name in ACCURACY},
        **{f"{side}_auroc": (rejection.get(side) or {}).get("auroc") for side in SIDES},
        "passed": {name: rejection[name] for name in THRESHOLDS if name in rejection},
    }
