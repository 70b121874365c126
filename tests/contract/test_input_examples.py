"""The input files that the documentation shows are read by the readers that take a user's files."""

import re
from pathlib import Path
from typing import Final

import pytest

from events.responses import RESPONSE_PAYLOADS
from services.application import authority_csv, framework_csv, party_csv
from services.application.csv_table import Problem
from services.ingest.entries import AcceptedEntry, Options
from services.ingest.jsonl import read_jsonl
from services.ingest.register.column_mapping import load_mapping

DOCS: Final = Path(__file__).parents[2] / "docs"
READERS: Final = {next(iter(reader.COLUMNS)): reader for reader in (authority_csv, framework_csv, party_csv)}
"""Readers of CSV files by the first column of their file."""


def examples(language: str, holding: str = "") -> list[object]:
    """The documentation's fenced blocks in a language that hold a text, each named by its page and line."""
    found = []
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text("utf-8")
        for block in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S):
            line = text.count("\n", 0, block.start()) + 1
            if holding in block[1]:
                found.append(pytest.param(block[1], id=f"{page.name}:{line}"))
    return found


@pytest.mark.parametrize("text", examples("csv"))
def test_every_line_of_a_csv_file_is_read(text: str) -> None:
    header, *lines = text.splitlines()
    read = list(READERS[header.split(",")[0]].read(text))
    assert read
    assert [one for one in read if isinstance(one, Problem)] == []
    assert {line.count(",") for line in lines} == {header.count(",")}


@pytest.mark.parametrize("text", examples("json", holding='"plan_id"'))
def test_every_plan_is_read(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plans.jsonl"
    file.write_text(" ".join(text.splitlines()), "utf-8")
    (entry,) = read_jsonl(file, Options())
    assert isinstance(entry, AcceptedEntry), entry


@pytest.mark.parametrize("text", examples("toml"))
def test_every_mapping_of_columns_is_read(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(text, "utf-8")
    load_mapping(file)


def test_the_kinds_of_a_file_of_answers_are_all_listed() -> None:
    text = (DOCS / "coalitions.md").read_text("utf-8")
    (listed,) = re.findall(r"response event and `kind`: (.*?)\.", text, re.S)
    assert re.findall(r"`(\w+)`", listed) == [payload.type.split(".")[2] for payload in RESPONSE_PAYLOADS]
