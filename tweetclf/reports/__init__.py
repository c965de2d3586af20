"""Reports: one neutral model of a leaderboard, five formats."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.reports.advising import make_advice_report
    from tweetclf.reports.auditing import make_audit_report
    from tweetclf.reports.building import make_report
    from tweetclf.reports.engagements import make_engagement_report
    from tweetclf.reports.model import (
        Cell,
        Code,
        Column,
        Figure,
        Heading,
        Listing,
        Note,
        Paragraph,
        Report,
        Row,
        Section,
        Span,
        Table,
    )
    from tweetclf.reports.rendering import FORMATS, render, write_report
    from tweetclf.reports.sweeping import make_sweep_report, write_sweep_report
    from tweetclf.reports.to_json import read_json

_MODULES = {
    "advising": ("make_advice_report",),
    "auditing": ("make_audit_report",),
    "building": ("make_report",),
    "engagements": ("make_engagement_report",),
    "model": (
        "Cell",
        "Code",
        "Column",
        "Figure",
        "Heading",
        "Listing",
        "Note",
        "Paragraph",
        "Report",
        "Row",
        "Section",
        "Span",
        "Table",
    ),
    "rendering": ("FORMATS", "render", "write_report"),
    "sweeping": ("make_sweep_report", "write_sweep_report"),
    "to_json": ("read_json",),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.reports.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "FORMATS",
    "Cell",
    "Code",
    "Column",
    "Figure",
    "Heading",
    "Listing",
    "Note",
    "Paragraph",
    "Report",
    "Row",
    "Section",
    "Span",
    "Table",
    "make_advice_report",
    "make_audit_report",
    "make_engagement_report",
    "make_report",
    "make_sweep_report",
    "read_json",
    "render",
    "write_report",
    "write_sweep_report",
]
