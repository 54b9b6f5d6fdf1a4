"""Stage 5: the published TensorFlow.js graph, from RGB pixels to probabilities."""

from pathlib import Path

from worker.backbone.compiled import CompiledBackbone
from worker.backbone.layers import Layer, Layers
from worker.training.heads import Head


def export(backbone: CompiledBackbone, tail: Layers | None, head: Head, folder: Path) -> None:
    """Write `model.json` and `group1-shard*.bin` (float16) into `folder`.

    `tail` takes the place of the backbone's own where it was fine-tuned. Raises ValueError for weights that
    float16 cannot hold.
    """
    replaced = (tail or {}) | {"head": Layer(head.kernel, head.bias)}
    values = {
        backbone.facts.slots[f"{name}/{part}"]: array
        for name, layer in replaced.items()
        for part, array in vars(layer).items()
    }
    backbone.template.with_weights(values, products=len(head.bias)).write(folder)
