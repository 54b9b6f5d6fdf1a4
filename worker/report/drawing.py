"""Matplotlib's figures as SVG inside a page, with the page's colours and fonts.

Matplotlib is kept, though it is large, because axes, ticks and legends are its business, and it writes text as text.
All that is ours is to replace its colours by the page's variables, so that the figures follow the dark mode.
"""

import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from worker.report.wording import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH: Final = 360
"""Of every figure, in points: about that of a phone, so that a point is a pixel there."""

# Matplotlib knows no variables of style sheets: it draws with colours that nothing else has, which are then replaced.
INK, SOFT, LINE, GOOD, BAD, GROUND = (f"#00000{number}" for number in range(1, 7))
_VARIABLES: Final = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
    GROUND: "var(--card)",
}
_COLOUR: Final = re.compile("|".join(_VARIABLES))
_FONT_FAMILY: Final = re.compile(r"font-family:[^;]*;?\s*|(?<=px) '[^;]*")

_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "legend.frameon": False,
}


class Drawing:
    """Axes to draw on, and the SVG of what was drawn."""

    def __init__(self, figure: "Figure", axes: "Axes") -> None:
        self.figure = figure
        self.axes = axes

    def svg(self, description: str) -> str:
        """An `<svg>` element without scripts, styles or addresses; `description` is its text for screen readers."""
        import matplotlib

        description = one_line(description)
        # It goes into the names of the figure's parts, which must differ from those of the page's other figures.
        matplotlib.rcParams["svg.hashsalt"] = description
        data = BytesIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with warnings.catch_warnings():
            # It only measures text with its own font; the reader's browser has the glyphs that this one lacks.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            self.figure.savefig(data, format="svg", metadata=nothing)
        root = ElementTree.fromstring(data.getvalue())
        _make_inline(root)
        root.attrib = {"viewBox": root.get("viewBox", ""), "role": "img", "aria-label": description}
        return ElementTree.tostring(root, encoding="unicode")


@contextmanager
def drawing(
    height: float, *, left: float, right: float = 12, top: float = 8, bottom: float = 38
) -> Iterator[Drawing]:
    """Axes on a figure of `height`, with margins, all in points; draw, and take the SVG, within the context."""
    with _without_home():
        import matplotlib
        from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        size = ((WIDTH - left - right) / WIDTH, (height - top - bottom) / height)
        yield Drawing(figure, figure.add_axes((left / WIDTH, bottom / height, *size)))


@contextmanager
def _without_home() -> Iterator[None]:
    """Import matplotlib without its folder of settings and its list of all fonts.

    Where it may not write it warns, and reading a machine's fonts takes seconds.
    """
    with tempfile.TemporaryDirectory(prefix="matplotlib-") as folder:
        ours = {"MPLCONFIGDIR": folder, "MPL_IGNORE_SYSTEM_FONTS": "1"}
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _make_inline(root: ElementTree.Element) -> None:
    """Remove what would reach out of the figure: matplotlib's style sheet is for the whole page."""
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith(("}style", "}metadata")):
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(name): value for name, value in element.attrib.items()}
        # Every figure has the same names for its parts, and a page may have a name once.
        if element.tag == "g":
            attributes.pop("id", None)
        if style := attributes.get("style"):
            attributes["style"] = _FONT_FAMILY.sub("", _COLOUR.sub(lambda at: _VARIABLES[at[0]], style))
        if path := attributes.get("d"):
            attributes["d"] = " ".join(path.split())
        element.attrib = attributes
        if element.tag != "text":
            element.text = None
        element.tail = None


def _local(name: str) -> str:
    return name.rpartition("}")[2]
