"""Writes a report as one self-contained HTML page for the maintainer of the register."""

from datetime import date
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from services.ingest.report import Report, by_count
from services.platform.files import SHARED, write_atomically


def write_page(report: Report, file: Path, day: date) -> None:
    """Write the page; a crash leaves the old file or the new one. Raises OSError."""
    write_atomically(file, render(report, day), SHARED)


def render(report: Report, day: date) -> str:
    """Render the page. Text from the file is escaped, never markup."""
    would = "Would be published" if report.dry_run else "Published"
    counts = (
        ("Entries read", report.read),
        (would, report.published),
        ("Of these, withdrawals", report.withdrawn),
        ("Unchanged since the last time", report.unchanged),
        ("Skipped, since they are no plans", report.skipped_count),
        ("Rejected", report.rejected_count),
    )
    notes = (
        ("Rejected", "These entries can't be published as they are: please correct them.", by_count(report.rejected)),
        (
            "Inferred or left out",
            "These plans were accepted; please check the inferred facts.",
            by_count(report.inferred),
        ),
        ("Skipped", "There is nothing to do.", by_count(report.skipped)),
    )
    return _template().render(report=report, day=f"{day.day} {day:%B %Y}", counts=counts, notes=notes)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("services.ingest"), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("report.html.j2")
