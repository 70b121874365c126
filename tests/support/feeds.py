"""Invented releases for the stand-in of a feed."""

from datetime import datetime, timedelta
from typing import Any

COUNCILS = (
    "Derby City Council", "Luton Borough Council", "Leeds City Council", "Glasgow City Council", "Cornwall Council",
    "London Borough of Harrow", "Kent County Council", "Swansea Council", "Belfast City Council",
    "Reading Borough Council",
)  # fmt: skip


def release(number: int, at: datetime, notice: str = "UK3", **changes: Any) -> dict[str, Any]:
    """An invented release of process `number`, published at a moment on the clocks of the United Kingdom."""
    council = COUNCILS[number % len(COUNCILS)]
    identifier = f"{number:06}-2026"
    document = {"id": identifier, "noticeType": notice, "datePublished": at.isoformat()}
    return {
        "ocid": f"ocds-h6vhtk-{number:06x}",
        "id": identifier,
        "date": at.isoformat(),
        "tag": ["planning"],
        "parties": [{"id": f"p{number}", "name": council, "roles": ["buyer"], "contactPoint": {"name": "Jane Doe"}}],
        "buyer": {"id": f"p{number}", "name": council},
        "planning": {"documents": [document]},
        "tender": {
            "id": str(number),
            "title": f"Café and kitchen equipment {number}",
            "description": "Ovens, counters and their maintenance",
            "status": "planned",
            "classification": {"scheme": "CPV", "id": "39000000"},
            "communication": {"futureNoticeDate": "2027-06-01"},
        },
    } | changes


def day_of_releases(count: int, start: datetime) -> list[dict[str, Any]]:
    """So many releases, spread over a day."""
    step = timedelta(hours=23) / count
    return [release(number, (start + number * step).replace(microsecond=0)) for number in range(1, count + 1)]
