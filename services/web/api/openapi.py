"""The OpenAPI document of the read interface: kept beside this file, and served."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse

from services.web.api import calendar, lists

VERSION: Final = "1.0.0"
"""Of the interface, not of the program: rises with what v1 gains."""

KEPT: Final = Path(__file__).parent / "openapi.json"

router = APIRouter(prefix="/api/v1")


@cache
def document() -> dict[str, Any]:
    """The whole document, made from the routes."""
    return get_openapi(
        title="Jointly",
        version=VERSION,
        description="What an authority's own systems read of its plans, opportunities, coalitions and deadlines. "
        "A token stands for one authority; it reads nothing of another's but what that shares with it.",
        routes=[*lists.router.routes, *calendar.router.routes, *calendar.feed_router.routes],
    )


def written() -> str:
    """The document as it stands in its file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


@router.get("/openapi.json", include_in_schema=False)
async def openapi() -> JSONResponse:
    """The document, for anybody."""
    return JSONResponse(document())
