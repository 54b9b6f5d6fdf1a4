"""metadata.json says which network looks at photos, and whether it recognises anything."""

from dataclasses import replace

import pytest

from tests.support.made_reports import made_report, skus
from worker.job.job import RANDOM
from worker.report.metadata import metadata


@pytest.mark.parametrize(("weights", "recognises_nothing"), [("weights.h5", False), (RANDOM, True)])
def test_the_backbone_is_described(weights: str, recognises_nothing: bool) -> None:
    report = made_report(skus(3))
    described = metadata(replace(report, backbone=replace(report.backbone, weights=weights)), {})
    assert described["backbone"] == {
        "architecture": "mobilenet_v2",
        "name": "MobileNetV2 1.0/224",
        "reason": report.backbone_reason,
        "weights": weights,
        "weights_sha256": "0" * 64,
        "recognises_nothing": recognises_nothing,
    }
