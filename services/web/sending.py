"""Sends an authority's response from a page. The form carries the response's id, so a second click counts once."""

import re
from typing import Any, Final

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from events.responses import ResponsePayload
from services.application.acts import ActOutcome, submit, wait_for_outcome
from services.application.group_view import GroupView
from services.application.responses import ResponseError, Subject, build
from services.web.access import Reader
from services.web.forms import Form
from services.web.parts import parts_of

RESPONSE_ID: Final = re.compile(r"[a-f0-9-]{36}")


def response_id_of(form: Form) -> str:
    """Return the response's id from the form. Raises 400 if the page did not make it."""
    found = form.text("response_id")
    if not RESPONSE_ID.fullmatch(found):
        raise HTTPException(400)
    return found


async def outcome_of(request: Request, authority: str) -> ActOutcome | None:
    """Return the outcome of the response that the address names as `sent`; None while it is unknown."""
    sent = request.query_params.get("sent", "")
    if not RESPONSE_ID.fullmatch(sent):
        return None
    return await wait_for_outcome(parts_of(request).sessions, sent, authority)


async def send_response(
    session: AsyncSession, reader: Reader, group: GroupView, kind: type[ResponsePayload], values: dict[str, Any]
) -> RedirectResponse:
    """Submit a response about the reader's group and lead to its outcome. Raises 400 if a value is invalid."""
    response_id = await submit_about(session, group.subject, (reader.authority, reader.actor), kind, values)
    return RedirectResponse(f"{reader.base}/sent/{response_id}", 303)


async def submit_about(
    session: AsyncSession,
    subject: Subject,
    who: tuple[str, str | None],
    kind: type[ResponsePayload],
    values: dict[str, Any],
) -> str:
    """Submit a response about a subject; return its id. Raises 400 if a value is invalid.

    `who`: the authority, and the id of the name that was typed at sign-in.
    """
    authority, actor = who
    try:
        payload = build(kind, {**subject.fields(authority), **values})
        await submit(session, payload, actor)
    except ResponseError:
        raise HTTPException(400) from None
    return payload.response_id
