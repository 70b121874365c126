"""A council adds or changes a plan: one question a page, a saved draft, a check, then the event."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from services.application import plan_drafts as use
from services.application.plan_drafts import PlanActError
from services.store.database import now
from services.store.plan_drafts import PlanDraft
from services.web import plan_texts as texts
from services.web.access import Session
from services.web.answer_texts import STAGES
from services.web.forms import Form, read_form
from services.web.parts import parts_of, today_of
from services.web.plan_questions import BY_SLUG, Question, questions_for, unanswered
from services.web.plan_receipts import Receipt, send_receipt
from services.web.signing import Council
from services.web.templating import render

router = APIRouter()
FIRST = BY_SLUG["title"]


@router.get("/plans/new")
async def ask_new(request: Request, council: Council) -> Response:  # noqa: ARG001 (only the signed-in may)
    """Ask the first question about a new plan."""
    return _ask(request, FIRST, {}, Form(FormData()), "/plans/new", "/home")


@router.post("/plans/new")
async def begin_new(request: Request, session: Session, council: Council) -> Response:
    """Begin a draft."""
    form = Form(await read_form(request))
    fields = FIRST.read(form, {}, today_of(request))
    if not form.errors:
        try:
            plan_id = await use.begin_plan(session, council.authority, fields, now())
        except PlanActError as error:
            form.errors[FIRST.slug] = str(error)
        else:
            return RedirectResponse(f"/p/{plan_id}/draft/{_next(FIRST, fields)}", 303)
    return _ask(request, FIRST, {}, form, "/plans/new", "/home", status=400)


@router.post("/p/{plan_id}/draft")
async def begin_change(session: Session, council: Council, plan_id: str) -> Response:
    """Start or resume a change of a plan."""
    if not await use.begin_change(session, council.authority, plan_id, now()):
        raise HTTPException(404)
    return RedirectResponse(f"/p/{plan_id}/draft", 303)


@router.get("/p/{plan_id}/draft")
async def check(request: Request, session: Session, council: Council, plan_id: str) -> Response:
    """Show all answers for a check."""
    draft = await _draft(session, council.authority, plan_id)
    return await _check(request, session, draft, "")


@router.get("/p/{plan_id}/draft/{slug}")
async def ask(request: Request, session: Session, council: Council, plan_id: str, slug: str) -> Response:
    """Ask one question."""
    draft = await _draft(session, council.authority, plan_id)
    question = _question(slug, draft)
    sent: list[tuple[str, str | UploadFile]] = [
        (name, one)
        for name, value in question.refill(draft.fields).items()
        for one in ([value] if isinstance(value, str) else value)
    ]
    return _ask(request, question, draft.fields, Form(FormData(sent)), f"/p/{plan_id}/draft/{slug}", _base(draft))


@router.post("/p/{plan_id}/draft/{slug}")
async def answer(request: Request, session: Session, council: Council, plan_id: str, slug: str) -> Response:
    """Save the answer in the draft, and lead to the next question."""
    draft = await _draft(session, council.authority, plan_id)
    question = _question(slug, draft)
    form = Form(await read_form(request))
    values = question.read(form, draft.fields, today_of(request))
    if form.errors:
        path = f"/p/{plan_id}/draft/{slug}"
        return _ask(request, question, draft.fields, form, path, _base(draft), status=400)
    fields = await use.change_draft(session, draft, values, now())
    following = "" if draft.base_revision or not unanswered(fields) else _next(question, fields)
    return RedirectResponse(_base(draft) + (f"/{following}" if following else ""), 303)


@router.post("/p/{plan_id}/publish")
async def publish(
    request: Request, session: Session, council: Council, plan_id: str, later: BackgroundTasks
) -> Response:
    """Publish the plan in the council's name."""
    draft = await _draft(session, council.authority, plan_id)
    if unanswered(draft.fields):
        return RedirectResponse(_base(draft), 303)
    try:
        payload = await use.publish_draft(session, draft, council.actor, now())
    except PlanActError as error:
        return await _check(request, session, draft, str(error), status=409)
    receipt = Receipt("changed" if draft.base_revision else "published", plan_id, draft.fields["title"])
    await send_receipt(parts_of(request).settings, session, later, council.authority, receipt)
    response = RedirectResponse(f"/p/{plan_id}/sent/{payload.revision}", 303)
    response.background = later
    return response


@router.post("/p/{plan_id}/discard")
async def discard(session: Session, council: Council, plan_id: str) -> Response:
    """Delete the draft. The published plan stays as it is."""
    draft = await _draft(session, council.authority, plan_id)
    await use.discard_draft(session, draft)
    return RedirectResponse(f"/p/{plan_id}" if draft.base_revision else "/home", 303)


@router.get("/p/{plan_id}/sent/{revision}")
async def sent(request: Request, council: Council, plan_id: str, revision: int) -> Response:
    """Confirm the publication. Waits briefly for the matcher, since the plan travels through the event log."""
    if not plan_id.startswith(f"{council.authority}:"):
        raise HTTPException(404)
    arrived = await use.wait_for_revision(parts_of(request).sessions, plan_id, revision)
    return render(request, "plan_sent.html", plan_id=plan_id, arrived=arrived, section="home")


async def _draft(session: Session, authority: str, plan_id: str) -> PlanDraft:
    draft = await use.own_draft(session, authority, plan_id, now())
    if draft is None:
        raise HTTPException(404)
    return draft


def _question(slug: str, draft: PlanDraft) -> Question:
    question = BY_SLUG.get(slug)
    if question is None or not question.asked(draft.fields):
        raise HTTPException(404)
    return question


def _next(question: Question, fields: Any) -> str:
    """The slug of the question after this one; empty after the last."""
    slugs = [one.slug for one in questions_for(fields)]
    return ([*slugs, ""])[slugs.index(question.slug) + 1]


def _base(draft: PlanDraft) -> str:
    return f"/p/{draft.plan_id}/draft"


def _ask(
    request: Request, question: Question, fields: Any, form: Form, action: str, back: str, status: int = 200
) -> Response:
    return render(
        request,
        "plan_question.html",
        status=status,
        question=question,
        regions=texts.regions_for(fields),
        form=form,
        texts=texts,
        stages=STAGES,
        action=action,
        back=back,
        page_errors=bool(form.errors),
        section="home",
    )


async def _check(request: Request, session: Session, draft: PlanDraft, problem: str, status: int = 200) -> Response:
    stored = await use.own_plan(session, draft.authority, draft.plan_id)
    return render(
        request,
        "plan_check.html",
        status=status,
        draft=draft,
        source=stored.source if stored else None,
        questions=questions_for(draft.fields),
        missing=unanswered(draft.fields),
        problem=problem,
        page_errors=bool(problem),
        section="home",
    )
