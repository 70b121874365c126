"""Groups and pairs of an office's members, and the page on which it convenes one. It answers for none of them."""

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from services.application import office as use
from services.application.acts import submit, wait_for_outcome
from services.application.office import PartyGroup
from services.application.party_acts import convened
from services.application.responses import ResponseError
from services.domain.coalition import MIN_MEMBERS
from services.domain.deadlines import DEFAULT_REPLY_DAYS, CoalitionDates
from services.domain.parties import Party
from services.store import parties
from services.web import answer_texts as texts
from services.web.access import Session
from services.web.forms import MAX_TEXT, Form, read_form
from services.web.pages.coalition import REPLY_DAYS, offered_periods
from services.web.parts import parts_of, today_of
from services.web.sending import response_id_of
from services.web.signing import Office
from services.web.templating import render

router = APIRouter()


@router.get("/convene")
async def groups(request: Request, session: Session, office: Office) -> Response:
    """The groups with plans of members, those that wait for somebody to begin first, and the pairs in no group."""
    party, today = await _party(session, office), today_of(request)
    found, has_more_groups = await use.list_groups(session, party, today)
    pairs, has_more_pairs = await use.list_pairs(session, party, today)
    return render(
        request,
        "convene.html",
        groups=found,
        has_more_groups=has_more_groups,
        pairs=pairs,
        has_more_pairs=has_more_pairs,
        office=office,
        members=len(party.members_on(today)),
        texts=texts,
        section="convene",
    )


@router.get("/convene/{subject_id}")
async def ask(request: Request, session: Session, office: Office, subject_id: str) -> Response:
    """Show one group or pair, with the members that the office can invite."""
    group = await _group(request, session, office, subject_id)
    return _ask(request, office, group, Form(FormData()))


@router.post("/convene/{subject_id}")
async def convene(request: Request, session: Session, office: Office, subject_id: str) -> Response:
    """Send the invitation."""
    group = await _group(request, session, office, subject_id)
    if not group.invitable:
        # It could have been done when the page was made, and can't any more.
        raise HTTPException(409)
    form = Form(await read_form(request))
    response_id = response_id_of(form)
    values = _read(form, group)
    if form.errors:
        return _ask(request, office, group, form, status=400)
    try:
        payload = await convened(
            session, office.authority, subject_id, today_of(request), response_id=response_id, **values
        )
    except ResponseError:
        raise HTTPException(400) from None
    await submit(session, payload, office.actor)
    return RedirectResponse(f"/convene/{subject_id}/sent/{response_id}", 303)


@router.get("/convene/{subject_id}/sent/{response_id}")
async def sent(request: Request, session: Session, office: Office, subject_id: str, response_id: str) -> Response:
    """Show the outcome of the invitation."""
    outcome = await wait_for_outcome(parts_of(request).sessions, response_id, office.authority)
    group = await _group(request, session, office, subject_id)
    return render(request, "convene_sent.html", group=group, office=office, outcome=outcome, section="convene")


def _read(form: Form, group: PartyGroup) -> dict[str, Any]:
    days = form.choice("reply_days", REPLY_DAYS, "Choose how long they have to reply")
    offered = {member.plan_id for member in group.invitable}
    chosen = [value for value in form.sent.getlist("plan") if value in offered]
    if len(chosen) < MIN_MEMBERS:
        form.errors["plan"] = f"Choose at least {MIN_MEMBERS} councils"
    scope = form.text("scope", MAX_TEXT)
    return {"plan_ids": chosen, "reply_days": int(days or DEFAULT_REPLY_DAYS), "scope": scope}


def _ask(request: Request, office: Office, group: PartyGroup, form: Form, status: int = 200) -> Response:
    return render(
        request,
        "convene_group.html",
        status=status,
        group=group,
        office=office,
        form=form,
        texts=texts,
        **offered_periods(
            today_of(request),
            CoalitionDates(group.together_from, group.decide_by),
            [member.authority for member in group.members],
        ),
        response_id=str(uuid4()),
        page_errors=bool(form.errors),
        section="convene",
    )


async def _party(session: AsyncSession, office: Office) -> Party:
    found = await parties.load(session, office.authority)
    assert found is not None, "only a party signs in as one"
    return found


async def _group(request: Request, session: AsyncSession, office: Office, subject_id: str) -> PartyGroup:
    found = await use.find_group(session, await _party(session, office), subject_id, today_of(request))
    if found is None:
        raise HTTPException(404)
    return found
