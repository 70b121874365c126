"""A register of 3,000 rows, half of them dirty in one of thirty ways: what becomes of each kind."""

import csv
import random
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest

from services.ingest.entries import AcceptedEntry, Options, RejectedEntry, SkippedEntry
from services.ingest.register.column_mapping import BUILT_IN
from services.ingest.register.reader import read_register

ROWS: Final = 3_000
AS_OF: Final = date(2026, 11, 29)
HEADINGS: Final = (
    "Contract Reference", "Contract Title", "Description", "Supplier Name", "Contract Start Date", "Contract End Date",
    "Extension", "Total Value", "CPV Code", "Department",
)  # fmt: skip
REFERENCE, TITLE, DESCRIPTION, _, START, END, EXTENSION, VALUE, CPV, _ = range(10)
NEEDS: Final = (
    "Housing repairs",
    "Payroll system",
    "School catering",
    "Fleet tyres",
    "Library system",
    "Print services",
)

Row = list[str]
Dirt = Callable[[Row], Row]


def put(cell: int, text: str) -> Dirt:
    """One cell that says something else."""
    return lambda row: [*row[:cell], text, *row[cell + 1 :]]


def both(first: Dirt, second: Dirt) -> Dirt:
    """Two cells."""
    return lambda row: second(first(row))


PUBLISHED: Final[dict[str, tuple[Dirt, str | None]]] = {
    "clean": (lambda row: row, None),
    "a month by name": (put(END, "30 June 2029"), None),
    "a time behind the day": (put(END, "2029-06-30T00:00:00"), None),
    "a spreadsheet's number of a day": (put(END, "47299"), None),
    "thousands": (put(VALUE, "£120k"), None),
    "a value a year": (put(VALUE, "£1.2m per annum"), None),
    "no value": (put(VALUE, "N/A"), None),
    "a negative value": (put(VALUE, "-£500"), "a value that is not one amount was left out"),
    "a range": (put(VALUE, "£100,000 - £250,000"), "a value that is not one amount was left out"),
    "text encoded twice": (put(TITLE, "Mayorâ€™s car parking"), None),
    "escapes": (put(TITLE, "Health &amp; safety advice"), None),
    "lines in a cell": (put(DESCRIPTION, 'First line\nsecond "line"'), None),
    "a short CPV code": (put(CPV, "999"), "a CPV code without eight digits was left out"),
    "a CPV code with its label": (put(CPV, "48000000-8 Software package"), None),
    "more cells than headings": (lambda row: [*row, "", ""], None),
    "a formula": (put(TITLE, '=HYPERLINK("http://x.example","Catering")'), None),
    "extensions": (put(EXTENSION, "2 x 12 months"), None),
    "an address": (put(DESCRIPTION, "Contact jane.doe@council.example or 020 7946 0000"), None),
    "spaces that don't break": (put(TITLE, "\u00a0Office\u00a0cleaning \u00a0"), None),
}
REFUSED: Final[dict[str, tuple[Dirt, str, str]]] = {
    "an end to come": (put(END, "TBC"), "end", "is no end"),
    "no end": (put(END, "Rolling"), "end", "is no end"),
    "an end that stands for none": (put(END, "31/12/9999"), "end", "is no end"),
    "an end before the start": (both(put(START, "30/06/2029"), put(END, "01/07/2028")), "end", "is before the start"),
    "no title": (put(TITLE, ""), "title", "is empty"),
    "no reference": (put(REFERENCE, ""), "reference", "is empty"),
    "a reference that stands for none": (put(REFERENCE, "TBC"), "reference", "which means that there is none"),
}
SKIPPED: Final[dict[str, tuple[Dirt, str]]] = {
    "totals": (lambda row: ["", "Total", *[""] * 5, "£1,234,567", "", ""], "rows of totals were skipped"),
    "headings again": (lambda row: list(HEADINGS), "headings that are repeated were skipped"),
    "expired": (
        both(put(START, "01/01/2012"), put(END, "31/12/2015")),
        "contracts that have expired were not published",
    ),
}
BLANK: Final = "nothing"


def register(file: Path) -> list[str]:
    """Writes the register; the kind of each row in the order of the file."""
    chance = random.Random(7)
    dirt: dict[str, Dirt] = {name: made for name, (made, *_) in {**PUBLISHED, **REFUSED, **SKIPPED}.items()}
    dirt[BLANK] = lambda row: [""] * len(row)
    names = sorted(dirt)
    kinds = ["clean" if number % 2 else names[number // 2 % len(names)] for number in range(ROWS)]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(HEADINGS)
        for number, kind in enumerate(kinds):
            start = date(2025, 1, 1) + timedelta(days=chance.randrange(700))
            days = [day.strftime("%d/%m/%Y") for day in (start, start + timedelta(days=365 * chance.choice((4, 5, 6))))]
            need, supplier = chance.choice(NEEDS), f"Supplier {number % 97} Ltd"
            clean = [f"C-{number:05}", f"{need} {number}", need, supplier, *days, "", str(10_000 + number), "", "ICT"]
            writer.writerow(dirt[kind](clean))
    return kinds


def test_each_kind_of_dirt_costs_what_it_must_and_no_more(tmp_path: Path) -> None:
    kinds = register(tmp_path / "register.csv")
    entries = list(read_register(tmp_path / "register.csv", Options("E06000038", as_of=AS_OF), BUILT_IN))
    wanted = Counter(kinds)
    assert len(entries) == ROWS - wanted[BLANK]
    for entry in entries:
        kind = kinds[int(entry.where.removeprefix("row ")) - 2]
        match entry:
            case AcceptedEntry():
                note = PUBLISHED[kind][1]
                assert note is None or note in entry.notes, kind
            case RejectedEntry():
                _, field, reason = REFUSED[kind]
                assert (entry.field, reason in entry.reason) == (field, True), (kind, entry)
            case SkippedEntry():
                assert entry.reason == SKIPPED[kind][1], kind
            case _:
                pytest.fail(f"{kind}: {entry}")
    accepted = sum(isinstance(entry, AcceptedEntry) for entry in entries)
    assert accepted == sum(wanted[kind] for kind in PUBLISHED)
