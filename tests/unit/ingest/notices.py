"""An OCDS notice to vary, and how it is read."""

import json
from pathlib import Path
from typing import Any

from services.ingest.entries import Entry, Options
from services.ingest.ocds.reader import read_ocds
from tests.unit.ingest import accepted, rejected

NOTICE: dict[str, Any] = {
    "ocid": "ocds-x-1",
    "id": "1",
    "date": "2027-03-02T09:15:00+00:00",
    "tag": ["planning"],
    "buyer": {"id": "GB-PPON-1", "name": "Derby City Council"},
    "tender": {
        "description": "A case management system for social care",
        "classification": {"scheme": "CPV", "id": "48000000"},
        "title": "Case management",
        "status": "planned",
        "communication": {"futureNoticeDate": "2028-01-17T23:59:59Z"},
    },
}


def notice(tender: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return NOTICE | changes | {"tender": NOTICE["tender"] | (tender or {})}


def planned(**tender: Any) -> dict[str, Any]:
    return NOTICE | {
        "tender": {
            "description": "A case management system for social care",
            "classification": {"scheme": "CPV", "id": "48000000"},
            "title": "Case management",
            "status": "planned",
        }
        | tender
    }


def reads_of(tmp_path: Path, document: object, options: Options | None = None) -> list[Entry]:
    file = tmp_path / "notices.json"
    file.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return list(read_ocds(file, options or Options()))


def plan_of(tmp_path: Path, document: object, options: Options | None = None) -> Any:
    reads = reads_of(tmp_path, document, options)
    assert not rejected(reads), rejected(reads)
    (plan,) = accepted(reads)
    return plan
