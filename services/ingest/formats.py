"""Chooses the reader of a file, and applies the rules for all formats."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from services.ingest.entries import AcceptedEntry, Entry, Options, RejectedEntry, UnchangedEntry
from services.ingest.event_publisher import publication_hash
from services.ingest.jsonl import open_lines, read_jsonl
from services.ingest.ocds.reader import read_ocds
from services.ingest.register.column_mapping import BUILT_IN, RegisterMapping
from services.ingest.register.reader import read_register

Format = Literal["jsonl", "ocds", "csv"]

_BY_SUFFIX: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "ocds",
    ".csv": "csv",
    ".tsv": "csv",
    ".xlsx": "csv",
}
_PACKED: Final = {".gz", ".zip"}


class FormatError(Exception):
    """The file's format is unclear: a sentence with the remedy."""


def detect_format(file: Path, named: Format | None) -> Format:
    """Return the requested format, else guess it from the file's extension, else from its first line. Raises
    FormatError."""
    if not file.exists():
        raise FormatError(f"There is no file {file}")
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "a device or a pipe"
        raise FormatError(f"{file} is {kind}: name a file, which can be read twice")
    inner = file.with_suffix("") if file.suffix.lower() in _PACKED else file
    by_suffix = _BY_SUFFIX.get(inner.suffix.lower())
    if found := named or (_by_content(file) if by_suffix == "jsonl" else None) or by_suffix or _by_content(file):
        return found
    raise FormatError(f"{file.name} could be anything; say --format jsonl, ocds or csv")


def read(file: Path, kind: Format, options: Options, mapping: RegisterMapping = BUILT_IN) -> Iterator[Entry]:
    """Read every entry of the file in order; `mapping` maps the columns of a register."""
    match kind:
        case "jsonl":
            return read_jsonl(file, options)
        case "ocds":
            return read_ocds(file, options)
        case "csv":
            return read_register(file, options, mapping)


def count_lines(file: Path, named: Format | None) -> int | None:
    """Estimate the number of entries for a progress bar; None if counting would mean reading the whole file."""
    with suppress(FormatError, OSError):
        plain = file.suffix.lower() not in _PACKED | {".xlsx"}
        if plain and detect_format(file, named) in ("jsonl", "csv"):
            with file.open("rb") as stream:
                return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1024 * 1024), b""))
    return None


def _by_content(file: Path) -> Format | None:
    """Guess the format from a first line of JSON: a plan, or a part of OCDS."""
    try:
        with open_lines(file) as stream:
            first = stream.readline(64 * 1024).removeprefix(b"\xef\xbb\xbf").strip()
    except (OSError, EOFError, zlib.error):
        return None
    if not first.startswith((b"{", b"[")) or b'"plan_id"' in first:
        return "jsonl" if first.startswith(b"{") else None
    return "ocds" if first.startswith(b"[") or b'"ocid"' in first or not first.endswith(b"}") else "jsonl"


def deduplicate(reads: Iterable[Entry]) -> Iterator[Entry]:
    """Drop repeated entries: an equal entry with the same plan and revision is left out, a different one is rejected.
    Otherwise chance would decide which of them wins."""
    # Digests instead of ids and contents save memory: a file may have hundreds of thousands of entries.
    seen: dict[bytes, tuple[str, bytes]] = {}
    for read in reads:
        if not isinstance(read, AcceptedEntry):
            yield read
            continue
        payload = read.payload
        content = bytes.fromhex(publication_hash(payload))[:16]
        revision = hashlib.blake2b(f"{payload.plan_id} {payload.revision}".encode(), digest_size=16).digest()
        where, first = seen.setdefault(revision, (read.where, content))
        if where == read.where:
            yield read
        elif first == content:
            yield UnchangedEntry(read.file, read.where, payload.plan_id)
        else:
            reason = f"{payload.plan_id} stands at {where} already, with other content; " + (
                "raise the revision of the later one" if read.numbered else "give each its own reference"
            )
            yield RejectedEntry(
                read.file, read.where, "revision" if read.numbered else "plan_id", reason, payload.plan_id
            )
