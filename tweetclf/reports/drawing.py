"""From a matplotlib figure to inline SVG that fits any page.

matplotlib lays out and draws; what it writes is then made fit to stand in a page
beside other figures: colours become the page's own (light or dark), ids are unique,
style attributes become plain attributes (so that a strict content policy holds), and
nothing depends on the machine or the day.

Texts that users gave are drawn as placeholders of the same width and put in
afterwards: matplotlib needs no glyph for them, nothing in them is taken for
mathematics, and the browser chooses the font.
"""

from __future__ import annotations

import io
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tweetclf.reports.formatting import display_width, make_safe, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

__all__ = ["COLOURS", "KEPT_ATTRIBUTES", "Drawing", "defaults"]

FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', "
    "sans-serif"
)

# Colours that are drawn -> what stands in the page. The fallbacks serve drawings that
# stand alone, on white. Blue and orange are told apart by every kind of sight; the
# shapes differ as well.
COLOURS = {
    "#010101": "currentColor",
    "#020202": "var(--muted, #59616b)",
    "#030303": "var(--line, #d6dae0)",
    "#040404": "var(--accent, #0b5cad)",
    "#050505": "var(--published, #a14a00)",
    "#060606": "var(--paper, #ffffff)",
}
INK, MUTED, LINE, ACCENT, PUBLISHED, PAPER = COLOURS

_NUMBER = re.compile(r"-?\d+\.\d+")
KEPT_ATTRIBUTES = frozenset(
    [
        *("d", "x", "y", "width", "height", "transform", "points", "href"),
        *("fill", "stroke", "fill-opacity", "stroke-opacity", "opacity"),
        *("stroke-width", "stroke-dasharray", "stroke-dashoffset"),
        *("stroke-linejoin", "stroke-linecap", "clip-path"),
        *("font-size", "font-weight", "font-style", "text-anchor"),
    ]
)


_LOCK = threading.RLock()


@contextmanager
def defaults() -> Iterator[None]:
    """Give matplotlib its own defaults and ours within the block.

    A user's style sheet changes no report.
    """
    import matplotlib

    # The settings are one for all threads.
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "tweetclf",
                "font.size": 12,
                "text.color": INK,
                "text.parse_math": False,
                "axes.labelcolor": MUTED,
                "xtick.color": MUTED,
                "ytick.color": MUTED,
            }
        )
        yield


class Drawing:
    """A figure in the making, measured in CSS pixels.

    Parameters
    ----------
    key : str
        Prefix of all ids.
    width, height : float
        Size in pixels.
    """

    def __init__(self, key: str, width: float, height: float) -> None:
        from matplotlib.figure import Figure as MatplotlibFigure

        self.key = key
        self.width = width
        self.height = height
        self.figure: MatplotlibFigure = MatplotlibFigure(
            figsize=(width / 72, height / 72), dpi=72, facecolor="none"
        )
        self._texts: list[str] = []

    def axes(self, left: float, top: float, right: float, bottom: float) -> Axes:
        """Return bare axes, with margins in pixels."""
        axes = self.figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                (self.width - left - right) / self.width,
                (self.height - top - bottom) / self.height,
            ),
            facecolor="none",
        )
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0, pad=6, labelsize=11)
        return axes

    def label(
        self, axes: Axes, x: float, y: float, text: str, *, width: int = 24, **how: Any
    ) -> None:
        """Write a text of any script, cut to `width` columns."""
        shown = shorten(make_safe(text), width)
        placeholder = "n" * max(display_width(shown), 1)
        how.setdefault("clip_on", False)
        axes.text(x, y, placeholder, gid=f"label-{len(self._texts)}", **how)
        self._texts.append(shown)

    def svg(self, title: str, description: str) -> str:
        """Return the drawing as an ``<svg>`` element."""
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Type", "Format"))
        self.figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
        source = ET.fromstring(buffer.getvalue())
        ids = _Ids(source, self.key)
        root = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {self.width:g} {self.height:g}",
                "role": "img",
                "aria-labelledby": f"{self.key}-title {self.key}-desc",
                "font-family": FONTS,
                "stroke-linejoin": "round",
                "stroke-linecap": "butt",
                "fill": "currentColor",
            },
        )
        ET.SubElement(root, "title", id=f"{self.key}-title").text = make_safe(title)
        ET.SubElement(root, "desc", id=f"{self.key}-desc").text = make_safe(description)
        for child in source:
            self._copy(child, root, ids)
        return ET.tostring(root, encoding="unicode", short_empty_elements=True)

    def _copy(self, element: ET.Element, parent: ET.Element, ids: _Ids) -> None:
        tag = element.tag.rpartition("}")[2]
        if tag in {"style", "metadata"}:
            return
        attributes = _attributes(element, ids)
        identity = element.get("id", "")
        if tag == "g" and not attributes:
            # Groups without a purpose are left out, their content stays.
            copy = parent
        elif tag == "defs" and not len(element):
            return
        else:
            copy = ET.SubElement(parent, tag, attributes)
        if identity.startswith("label-"):
            text = next(child for child in element.iter() if child.tag.endswith("text"))
            text.text = self._texts[int(identity.removeprefix("label-"))]
        if copy is not parent and tag in {"text", "tspan"}:
            copy.text = element.text
        for child in element:
            self._copy(child, copy, ids)


class _Ids:
    """Short ids with the figure's prefix, for the elements that are referred to."""

    def __init__(self, source: ET.Element, key: str) -> None:
        referred = re.findall(
            r'(?:url\(#|href="#)([^)"]+)', ET.tostring(source, encoding="unicode")
        )
        self.names = {
            old: f"{key}-{number}"
            for number, old in enumerate(dict.fromkeys(referred), start=1)
        }

    def replace(self, value: str) -> str:
        return re.sub(
            r"#([^)]+)", lambda match: f"#{self.names.get(match[1], match[1])}", value
        )


def _shorter(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def _attributes(element: ET.Element, ids: _Ids) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw, value in element.attrib.items():
        attribute = raw.rpartition("}")[2]
        if attribute == "style":
            for declaration in value.split(";"):
                key, _, setting = declaration.partition(":")
                found[key.strip()] = setting.strip()
        else:
            found[attribute] = value
    kept = {}
    for attribute, value in found.items():
        if attribute == "id" and value in ids.names:
            kept["id"] = ids.names[value]
        if attribute not in KEPT_ATTRIBUTES:
            continue
        if attribute in {"href", "clip-path"}:
            kept[attribute] = ids.replace(value)
            continue
        value = COLOURS.get(value, value)
        if attribute in {"d", "points", "transform", "x", "y", "stroke-width"}:
            value = " ".join(_NUMBER.sub(_shorter, value).split())
        if attribute == "transform" and value.startswith("rotate(-0 "):
            continue
        if attribute == "font-size":
            value = value.removesuffix("px")
        kept[attribute] = value
    return kept
