"""The architectures that a worker knows, by name; another one is a file like theirs, and a line here."""

from typing import Final

from worker.backbone import efficientnet_lite0, efficientnet_lite2, mobilenet_v2
from worker.backbone.architecture import Architecture

ARCHITECTURES: Final[dict[str, Architecture]] = {
    module.ARCHITECTURE.name: module.ARCHITECTURE
    for module in (mobilenet_v2, efficientnet_lite0, efficientnet_lite2)
}
