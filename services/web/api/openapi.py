"""The OpenAPI document of the read interface: a saved copy in this folder, and the served one."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse

from services.web.api import calendar, lists

VERSION: Final = "1.1.0"
"""The version of the interface, not of the program. Each addition to v1 raises it."""

KEPT: Final = Path(__file__).parent / "openapi.json"

router = APIRouter(prefix="/api/v1")


@cache
def document() -> dict[str, Any]:
    """Build the whole document from the routes."""
    return get_openapi(
        title="Jointly",
        version=VERSION,
        description="An authority's own systems read its plans, opportunities, coalitions and deadlines here. "
        "A token belongs to one authority. It reads another authority's data only as far as that authority shares it.",
        routes=[*lists.router.routes, *calendar.router.routes, *calendar.feed_router.routes],
    )


def render_openapi() -> str:
    """Render the document as the file holds it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


@router.get("/openapi.json", include_in_schema=False)
async def openapi() -> JSONResponse:
    """Serve the document to anybody."""
    return JSONResponse(document())
