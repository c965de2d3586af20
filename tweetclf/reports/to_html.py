"""The report as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tweetclf.reports.drawing import KEPT_ATTRIBUTES
from tweetclf.reports.formatting import make_safe
from tweetclf.reports.model import Block, Figure, Report, Section, Table

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["is_safe_svg", "render_html"]

_ELEMENTS = frozenset(
    [
        *("svg", "g", "path", "text", "tspan", "rect", "use", "defs", "clipPath"),
        *("title", "desc"),
    ]
)
_ROOT = frozenset(
    {"id", "role", "aria-labelledby", "viewBox", "xmlns", "font-family", "version"}
)


@dataclass(frozen=True)
class _Group:
    kind: str
    blocks: list[Block]


def is_safe_svg(svg: str) -> bool:
    """Tell whether a drawing holds shapes and text only.

    Drawings of :func:`tweetclf.reports.make_report` do; one that was read from a
    file may not.
    """
    if "<!" in svg or "<?" in svg:
        return False
    try:
        root = ET.fromstring(svg)
    except ET.ParseError:
        return False
    for element in root.iter():
        namespace, _, tag = str(element.tag).rpartition("}")
        if namespace not in {"", "{http://www.w3.org/2000/svg"}:
            return False
        if tag not in _ELEMENTS or (element is root) != (tag == "svg"):
            return False
        for attribute, value in element.attrib.items():
            if attribute not in KEPT_ATTRIBUTES | _ROOT:
                return False
            if attribute == "href" and not value.startswith("#"):
                return False
            if "url(" in value and not value.startswith("url(#"):
                return False
    return True


def _drawing(figure: Figure) -> Markup:
    from markupsafe import Markup

    if is_safe_svg(figure.svg):
        return Markup(figure.svg)
    return Markup("<p>{}</p>").format(make_safe(figure.alt))


def _lines(text: str) -> Markup:
    from markupsafe import Markup, escape

    return Markup(escape(make_safe(text, newlines=True)))


def _positions(table: Table) -> list[int]:
    """Positions of the columns that have a place of their own."""
    return [i for i in table.visible() if not table.columns[i].under]


def _lines_under(table: Table, key: str) -> list[int]:
    return [i for i in table.visible() if table.columns[i].under == key]


def _groups(section: Section) -> list[_Group]:
    """Put neighbouring figures together; all other blocks stand alone."""
    groups = []
    for drawn, blocks in groupby(section.blocks, lambda b: isinstance(b, Figure)):
        if drawn:
            groups.append(_Group("figures", list(blocks)))
        else:
            groups += [_Group(type(b).__name__.lower(), [b]) for b in blocks]
    return groups


def _finalize(value: Any) -> Any:
    """Take controls out of every text that enters the page."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return make_safe(value)
    return value


def _resource(name: str) -> str:
    folder = files("tweetclf.reports").joinpath("templates")
    return folder.joinpath(name).read_text("utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    environment = Environment(
        loader=DictLoader({"report.html": _resource("report.html")}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
    )
    environment.filters |= {
        "drawing": _drawing,
        "groups": _groups,
        "lines": _lines,
        "lines_under": _lines_under,
        "positions": _positions,
    }
    return environment


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def render_html(report: Report) -> str:
    """Return the report as one HTML page.

    Styles and the script that sorts columns stand in the page, and its content
    policy allows these two and nothing else: whatever a tweet holds, it loads and
    runs nothing.
    """
    from markupsafe import Markup

    style, script = _resource("report.css"), _resource("sorting.html")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _environment().get_template("report.html")
    text = page.render(
        report=report,
        style=Markup(style),
        script=Markup(script),
        # Nothing in it needs escaping, and the quotes are easier to read so.
        policy=Markup(policy),
    )
    return text if text.endswith("\n") else text + "\n"
