"""A converted backbone: the folder with the models and weights that jobs run and publish."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from worker.backbone.architecture import Architecture
from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.layers import Layers, load_layers, save_layers
from worker.backbone.template import Template

ENGINE, LAYERS, TEMPLATE, FACTS = "engine.tflite", "layers.npz", "template", "facts.json"

FORMAT = 6
"""Version of the folder's content; increase it with every change, so that entries of older versions are not used."""


@dataclass(frozen=True)
class BackboneFacts:
    """The names of architecture and weights, the weights' SHA-256, and where each array of the layers is, by names as
    in `arrays`.

    `slots`: the name of its weight in the template, also for the head; `offsets`: its first byte in the engine.
    """

    architecture: str
    weights: str
    weights_sha256: str
    slots: dict[str, str]
    offsets: dict[str, int]


@dataclass(frozen=True)
class Backbone:
    """Reads a folder that `convert` wrote."""

    folder: Path
    facts: BackboneFacts

    @classmethod
    def read(cls, folder: Path) -> "Backbone":
        """Raises OSError, ValueError or TypeError where the folder is incomplete or of another version."""
        return cls(folder, BackboneFacts(**json.loads((folder / FACTS).read_text())))

    @property
    def architecture(self) -> Architecture:
        return ARCHITECTURES[self.facts.architecture]

    @property
    def engine(self) -> Path:
        """Path of the LiteRT model."""
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
    """Write the files that `Backbone` reads into `folder`."""
    (folder / ENGINE).write_bytes(engine)
    (folder / TEMPLATE).mkdir()
    template.write(folder / TEMPLATE)
    save_layers(layers, folder / LAYERS)
    (folder / FACTS).write_text(json.dumps(asdict(facts), indent=2))
