"""Output of commands. Text from others can't control the terminal or reverse the reading order."""

import sys
import unicodedata
from collections.abc import Sequence
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.application.csv_cells import defuse

_STEERING: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def plain(text: str, longest: int | None = None) -> str:
    """Return one line without control, format or bidirectional characters, cut with an ellipsis if too long."""
    spaced = " ".join(text.split())
    kept = "".join(c for c in spaced if unicodedata.category(c) not in _STEERING)
    return kept if longest is None or len(kept) <= longest else kept[: longest - 1] + "\u2026"


def rendered(data: bytes, longest: int = 4096) -> str:
    """Return bytes as one line of text, with unprintable ones as escapes, cut if too long."""
    text = data[:longest].decode("utf-8", errors="backslashreplace")
    shown = "".join(c if _printable(c) else c.encode("unicode_escape").decode("ascii") for c in text)
    return shown if len(data) <= longest else f"{shown}\u2026 ({len(data) - longest} bytes more)"


def print_rows(names: Sequence[str], rows: Sequence[Sequence[str]], ids: Sequence[str] | None = None) -> None:
    """Print a table on a terminal, with multi-line cells. In a pipe, print tab-separated lines under a line of names.

    `cut`, `sort` and a spreadsheet can read those: line breaks in a cell become "; ", and no cell is a formula. In a
    pipe, the `ids` of the rows, which are too long for a terminal, come first.
    """
    if not sys.stdout.isatty():
        lines = [names, *rows]
        if ids is not None:
            lines = [(first, *rest) for first, rest in zip(("id", *ids), lines, strict=True)]
        for line in lines:
            typer.echo("\t".join(defuse(plain(cell.replace("\n", "; "))) for cell in line))
        return
    if rows:
        table = Table(box=None, pad_edge=False)
        for name in names:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console(highlight=False).print(table)


def print_count(found: int, one: str, many: str, limit: int) -> None:
    """Print the number found; to standard error if the rows go into a pipe."""
    counted = f"1 {one}" if found == 1 else f"{found} {many}"
    more = ", more may exist: see --limit" if found == limit else ""
    print_total(counted + more)


def print_total(sentence: str) -> None:
    """Print the sentence below a table; to standard error if the rows go into a pipe."""
    typer.echo(sentence, err=not sys.stdout.isatty())


def _printable(character: str) -> bool:
    return unicodedata.category(character) not in _STEERING
