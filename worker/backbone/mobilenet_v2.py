"""MobileNetV2 1.0 (Sandler et al., CVPR 2018), with the ImageNet weights of keras.applications."""

from worker.backbone.architecture import Architecture, Pretrained, chain
from worker.backbone.keras_file import read_arrays

_FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


def _names(layer: str) -> tuple[str, str, str, str, str]:
    """As Keras calls them; its first block has no number."""
    layer = {"stem": "Conv1", "last": "Conv_1"}.get(layer, layer).replace("block_0_", "expanded_conv_")
    norm = {"Conv1": "bn_Conv1", "Conv_1": "Conv_1_bn"}.get(layer, f"{layer}_BN")
    kernel = "depthwise_kernel" if layer.endswith("depthwise") else "kernel"
    gamma, beta, mean, variance = (
        f"{norm}/{norm}/{part}:0" for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return f"{layer}/{layer}/{kernel}:0", gamma, beta, mean, variance


ARCHITECTURE = Architecture(
    name="mobilenet_v2",
    title="MobileNetV2 1.0/224",
    offset=127.5,
    divisor=127.5,
    stem_channels=32,
    blocks=chain(
        inputs=32,
        stages=(
            (1, 3, 1, 1, 16),
            (2, 3, 2, 6, 24),
            (3, 3, 2, 6, 32),
            (4, 3, 2, 6, 64),
            (3, 3, 1, 6, 96),
            (3, 3, 2, 6, 160),
            (1, 3, 1, 6, 320),
        ),
    ),
    last_channels=1280,
    cut="block_13",
    tapped=("block_13", "block_16"),
    pretrained=Pretrained(
        file=_FILE,
        sha256="cbb7a4e388fad6679c3dcef455acf853e74dc5bcaa1856c238aadce9b2a6f679",
        read=read_arrays,
        names=_names,
        epsilon=1e-3,
        url=f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/{_FILE}",
    ),
)
