"""Sends what an authority decided on a page. The form brings the response's id, so a second click counts once."""

import re
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from events.responses import ResponsePayload
from services.application.acts import submit
from services.application.group_view import GroupView
from services.application.responses import ResponseError, build
from services.web.access import Reader

RESPONSE_ID: Final = re.compile(r"[a-f0-9-]{36}")


async def send_response(
    session: AsyncSession, reader: Reader, group: GroupView, kind: type[ResponsePayload], values: dict[str, Any]
) -> RedirectResponse:
    """Submits a response about the reader's group and leads to its outcome. Raises 400 where a value is invalid."""
    try:
        payload = build(kind, {**group.subject.fields(reader.authority), **values})
        await submit(session, payload, reader.actor)
    except ResponseError:
        raise HTTPException(400) from None
    return RedirectResponse(f"{reader.base}/sent/{payload.response_id}", 303)
