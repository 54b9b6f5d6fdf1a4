"""A backbone that is converted: the folder with what jobs run and publish."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from worker.backbone.architecture import Layers, load_layers, save_layers
from worker.backbone.template import Template

ENGINE, LAYERS, TEMPLATE, FACTS = "engine.tflite", "layers.npz", "template", "facts.json"

FORMAT = 3
"""Counts up when what is converted changes, so that what older versions left in a cache is not used."""


@dataclass(frozen=True)
class BackboneFacts:
    """Which weights these are, and where every array of the layers is kept, by its name, `block_13_expand/kernel`.

    `slots` has the name of its weight in the template, and those of the head; `offsets` its first byte in the engine.
    """

    weights: str
    weights_sha256: str
    slots: dict[str, str]
    offsets: dict[str, int]


@dataclass(frozen=True)
class Backbone:
    """A folder that `convert` wrote."""

    folder: Path
    facts: BackboneFacts

    @classmethod
    def read(cls, folder: Path) -> "Backbone":
        """Raises OSError or ValueError where the folder is not whole."""
        return cls(folder, BackboneFacts(**json.loads((folder / FACTS).read_text())))

    @property
    def engine(self) -> Path:
        """The LiteRT model."""
        return self.folder / ENGINE

    @cached_property
    def layers(self) -> Layers:
        return load_layers(self.folder / LAYERS)

    @cached_property
    def template(self) -> Template:
        return Template.read(self.folder / TEMPLATE)


def write_backbone(
    folder: Path, engine: bytes, template: Template, layers: Layers, facts: BackboneFacts
) -> None:
    """Write into `folder` what `Backbone` reads."""
    (folder / ENGINE).write_bytes(engine)
    (folder / TEMPLATE).mkdir()
    template.write(folder / TEMPLATE)
    save_layers(layers, folder / LAYERS)
    (folder / FACTS).write_text(json.dumps(asdict(facts), indent=2))
