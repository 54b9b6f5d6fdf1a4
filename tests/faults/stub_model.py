"""The model description of the stub child."""

import json

from worker.job.outcome import TrainedModel
from worker.job.promotion import Promotion

ACCURACY = {"top1": 1.0, "top3": 1.0, "photos": 10, "products": 2}


def stub_model(active: str | None, *, activate: bool = True) -> TrainedModel:
    """A model with the decision whether it replaces `active`."""
    reason = f"The stub is {'better' if activate else 'worse'} than {active}."
    return TrainedModel(
        json.dumps(ACCURACY), 10, 2, {}, Promotion(activate, reason, active, comparison=None), ()
    )
