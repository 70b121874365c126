"""A report as one page that needs nothing beside it: for whoever keeps the register."""

from datetime import date
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from services.ingest.report import Report, by_count
from services.platform.files import write_atomically


def write_page(report: Report, file: Path, day: date) -> None:
    """Writes the page; a crash leaves the old file or the new one. Raises OSError."""
    write_atomically(file, render(report, day))


def render(report: Report, day: date) -> str:
    """The page. Whatever a file holds is text in it, never markup."""
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
        ("Rejected", "These entries need somebody: they can't be published as they are.", by_count(report.rejected)),
        (
            "Inferred or left out",
            "These plans count; please look whether this is right.",
            by_count(report.inferred),
        ),
        ("Skipped", "Nothing has to be done.", by_count(report.skipped)),
    )
    return _template().render(report=report, day=f"{day.day} {day:%B %Y}", counts=counts, notes=notes)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("services.ingest"), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("report.html.j2")
