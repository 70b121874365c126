"""Reading a register."""

from datetime import date
from pathlib import Path

from services.ingest import formats
from services.ingest.entries import Entry, Options
from services.ingest.register.column_mapping import BUILT_IN

AS_OF = date(2026, 11, 29)
COUNCIL = Options(authority="E06000038", as_of=AS_OF)


def reads_of(
    tmp_path: Path, content: str | bytes, name: str = "register.csv", options: Options = COUNCIL
) -> list[Entry]:
    """The entries of a file with this content."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(formats.deduplicate(formats.read(file, formats.detect_format(file, None), options, BUILT_IN)))
