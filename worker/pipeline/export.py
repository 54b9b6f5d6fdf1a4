"""Stage 5: the published TensorFlow.js graph, from RGB pixels to probabilities."""

from pathlib import Path

from worker.backbone.architecture import Layer
from worker.backbone.cache import CompiledBackbone
from worker.training.train import Model


def export(backbone: CompiledBackbone, model: Model, folder: Path) -> None:
    """Write `model.json` and `group1-shard*.bin` (float16) into `folder`.

    The model's tail takes the place of the backbone's own where it was fine-tuned. Raises ValueError for weights
    that float16 cannot hold.
    """
    replaced = (model.tail or {}) | {"head": Layer(model.head.kernel, model.head.bias)}
    values = {
        backbone.facts.slots[f"{name}/{part}"]: array
        for name, layer in replaced.items()
        for part, array in vars(layer).items()
    }
    backbone.template.with_weights(values, products=len(model.head.bias)).write(folder)
