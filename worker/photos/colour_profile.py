"""Converts a photo with a colour profile to sRGB, as browsers do; one of them cannot be told not to."""

from functools import cache
from io import BytesIO
from typing import Final

from PIL import Image, ImageCms

LARGEST_PROFILE: Final = 4 << 20
"""In bytes. Profiles of cameras and printers have at most two million."""

_MODES: Final = {"RGB": "RGB", "RGBA": "RGB", "RGBX": "RGB", "P": "RGB", "CMYK": "CMYK", "L": "L", "LA": "L"}
"""The modes of photos with profiles, and those in which the profile's colours are."""


def in_srgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """The image in sRGB, RGB or with its transparency RGBA, and whether its profile is broken and was ignored.

    An image without a profile is returned as it is, and a grey one with a profile of RGB.
    """
    profile, mode = image.info.get("icc_profile"), _MODES.get(image.mode)
    if not profile or mode is None:
        return image, False
    try:
        if len(profile) > LARGEST_PROFILE:
            return image, True
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        if mode == "L" and opened.profile.xcolor_space == "RGB ":
            # Browsers take greys for sRGB's then. Cameras and programs write it so.
            return image, False
        if mode == "RGB" and ImageCms.getProfileDescription(opened).startswith("sRGB"):
            return image, False
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        colours = image if image.mode == mode else image.convert(mode)
        converted = ImageCms.profileToProfile(
            colours, opened, _srgb(), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
    # A malformed profile can make the library raise nearly any exception.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, SyntaxError):
        return image, True
    assert converted is not None
    if alpha is not None:
        converted.putalpha(alpha)
    return converted, False


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
