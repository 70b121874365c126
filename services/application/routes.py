"""Route records for people and programs: the recorded steps of a plan, the routes to check, and the audit note."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import RouteStep
from matching.text.formatting import format_date, join_words, sanitise_line
from services.application import frameworks
from services.application.frameworks import FrameworkCheck, FrameworkError
from services.application.own_groups import OwnGroup, to_own_group
from services.application.responses import ResponseError, Subject, find_subject
from services.domain.disclosure import is_open
from services.domain.ids import plan_subject
from services.domain.reorganisation import full_name_on
from services.domain.route import STEPS, RouteEntry, RouteRecord, build_record
from services.domain.route_prompt import OUTCOME_NAMES, STEP_NAMES
from services.matcher.stored_context import EmbedMissing
from services.platform.settings import Settings
from services.store import coalitions, plans, responses
from services.store.coalitions import CoalitionRow
from services.store.route_records import to_entry


class RouteError(Exception):
    """There is no such plan; the message says what to do."""


@dataclass(frozen=True, slots=True)
class RouteView:
    """A plan's route record, with reasons to look again: frameworks that cover the plan, and its coalitions."""

    plan_id: str
    authority: str
    title: str
    record: RouteRecord
    check: FrameworkCheck | None
    coalitions: tuple[CoalitionRow, ...]


async def load_record(session: AsyncSession, plan_id: str) -> RouteView:
    """Load a plan's route record without checking frameworks. Raises RouteError if there is no such plan.

    It includes records of other members for the plan's coalition, while both plans are shared openly.
    """
    stored = (await plans.by_id(session, [plan_id])).get(plan_id)
    if stored is None or stored.state is None:
        raise RouteError(f"there is no plan {plan_id}; a plan id is the authority, a colon and its reference")
    rows = await coalitions.living_with(session, [plan_id])
    joined = [row for row in rows if plan_id in {member.plan_id for member in row.coalition.current}]
    recorded = await responses.routes(session, [plan_id], [row.coalition_id for row in joined])
    states = await plans.by_id(session, {row.plan_id for row in recorded if row.plan_id})
    open_plans = {key for key, plan in states.items() if is_open(plan.state)} if is_open(stored.state) else set()
    record = build_record(to_entry(row) for row in recorded if row.plan_id in {plan_id, *open_plans})
    return RouteView(plan_id, stored.authority, str(stored.state["title"]), record, None, tuple(joined))


async def load(session: AsyncSession, settings: Settings, plan_id: str, embed_missing: EmbedMissing) -> RouteView:
    """Load a plan's route record and check frameworks. Raises RouteError if there is no such plan."""
    view = await load_record(session, plan_id)
    try:
        return replace(view, check=await frameworks.check(session, settings, plan_id, embed_missing))
    except FrameworkError:
        return view  # no matcher has seen the plan yet


async def subject_of(session: AsyncSession, plan_id: str, coalition_id: str | None) -> Subject:
    """The subject of a route record: the plan, or a coalition that it is in. Raises ResponseError."""
    authority = plan_id.split(":", 1)[0]
    if coalition_id is not None:
        found = await find_subject(session, coalition_id, authority)
        if found.plan_id != plan_id or found.kind != "coalition":
            raise ResponseError(f"plan {plan_id} is in no coalition {coalition_id}")
        return found
    stored = (await plans.by_id(session, [plan_id])).get(plan_id)
    if stored is None:
        raise ResponseError(f"there is no plan {plan_id}; a plan id is the authority, a colon and its reference")
    return Subject("plan", plan_subject(plan_id), stored.revision, plan_id)


def audit_note(view: RouteView, as_of: date) -> list[str]:
    """Half a page for the file: one line per step, the steps left out, and the routes to check."""
    name = full_name_on(view.authority, as_of)
    lines = [
        f"Route record of {name} for {sanitise_line(view.title, 120)} ({view.plan_id}), as of {format_date(as_of)}",
        "",
        *(line for step in STEPS for line in _step(step, view.record.entry(step), view.authority, as_of)),
        "",
        *_prompts(view, as_of),
    ]
    return [line for line, after in zip(lines, [*lines[1:], ""], strict=True) if line or after]


def to_json(view: RouteView) -> dict[str, Any]:
    """The record as JSON, for programs."""
    return {
        "plan_id": view.plan_id,
        "chosen": view.record.chosen,
        "missing": list(view.record.missing),
        "steps": [one.as_json() for one in view.record.entries],
        "frameworks": view.check.line if view.check else None,
        "coalitions": [row.coalition_id for row in view.coalitions],
    }


def _step(step: RouteStep, entry: RouteEntry | None, authority: str, as_of: date) -> list[str]:
    head = f"{STEPS.index(step) + 1}. {STEP_NAMES[step]}: "
    if entry is None:
        return [head + "nothing recorded"]
    reason = f" ({entry.reason.replace('-', ' ')})" if entry.reason else ""
    whose = f" of {full_name_on(entry.authority, as_of)}" if entry.authority != authority else ""
    return [
        (
            f"{head}{OUTCOME_NAMES[entry.outcome]}{reason}. "
            f"{sanitise_line(entry.by, 120)}{whose}, {format_date(entry.asked_at)}."
        ),
        *([f"   Looked at: {sanitise_line('; '.join(entry.candidates), 300)}"] if entry.candidates else []),
        *([f"   {sanitise_line(entry.note, 500)}"] if entry.note else []),
    ]


def _own_group(group: OwnGroup) -> str:
    others = join_words(group.others) or "no other council"
    return f"{group.place} {others}{f' ({group.status_word})' if group.status_word else ''}."


def _prompts(view: RouteView, as_of: date) -> Sequence[str]:
    found = []
    if view.check and view.check.line and view.record.entry(RouteStep.FRAMEWORK) is None:
        names = dict.fromkeys(one.lot.title for one in view.check.covering if one.usable)
        found.append(f"{view.check.line} {sanitise_line(', '.join(names), 200)}.")
    if view.coalitions and view.record.entry(RouteStep.COALITION) is None:
        found += [_own_group(to_own_group(row.coalition, view.plan_id, as_of)) for row in view.coalitions]
    if view.record.chosen is RouteStep.NEW and view.record.missing:
        steps = " and ".join(STEP_NAMES[step].lower() for step in view.record.missing)
        found.append(f"A new contract was chosen, and nothing is recorded of these routes: {steps}.")
    return found
