"""The sample's public notices: planned procurements of real authorities in invented words, as a feed gives them."""

from datetime import date, datetime
from typing import Any, Final

from services.local_stack.sample import first_of_month

_PLANNED: Final = (
    (
        "Leicester City Council",
        "Human resources and payroll system",
        "Hosted HR and payroll software for 11,000 staff and schools, with self-service and pension returns.",
        "48450000",
        7,
    ),
    (
        "Plymouth City Council",
        "Council tax, benefits and business rates software",
        "Hosted revenues and benefits application with online forms and document management for 120,000 households.",
        "48440000",
        9,
    ),
    (
        "Gateshead Council",
        "Library management system and self-service kiosks",
        "Library management and discovery software, with self-service kiosks, for all branch libraries.",
        "48160000",
        8,
    ),
)
"""The buyer, the title, the description, the CPV code, and in how many months the tender notice is planned."""


def sample_notices(as_of: date, published: datetime) -> list[dict[str, Any]]:
    """Build the releases, planned relative to `as_of` and published at one moment."""
    return [_release(number, as_of, published, *planned) for number, planned in enumerate(_PLANNED, 1)]


def _release(
    number: int, as_of: date, published: datetime, buyer: str, title: str, description: str, cpv: str, months: int
) -> dict[str, Any]:
    identifier, day = f"{number:06}-{published.year}", published.isoformat()
    return {
        "ocid": f"ocds-h6vhtk-{number:06x}",
        "id": identifier,
        "date": day,
        "tag": ["planning"],
        "parties": [{"id": f"buyer-{number}", "name": buyer, "roles": ["buyer"]}],
        "buyer": {"id": f"buyer-{number}", "name": buyer},
        "planning": {"documents": [{"id": identifier, "noticeType": "UK3", "datePublished": day}]},
        "tender": {
            "id": str(number),
            "title": title,
            "description": description,
            "status": "planned",
            "classification": {"scheme": "CPV", "id": cpv},
            "communication": {"futureNoticeDate": first_of_month(as_of, months).isoformat()},
        },
    }
