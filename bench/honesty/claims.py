"""What a model says of itself that can be tried."""

from collections.abc import Mapping
from typing import Any

ACCURACY = ("top1", "top1_low", "top1_high", "calibration_error", "photos")
SIDES = ("near", "far")
THRESHOLDS = ("accept", "suggest")


def reported(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of a metadata.json, with what each threshold in `passed` promises; `None` where it makes none."""
    accuracy, rejection = metadata["accuracy"], metadata["rejection"] or {}
    return {
        **{name: accuracy[name] for name in ACCURACY},
        **{f"{side}_auroc": (rejection.get(side) or {}).get("auroc") for side in SIDES},
        "passed": {name: rejection[name] for name in THRESHOLDS if name in rejection},
    }
