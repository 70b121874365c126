"""A coalition as its event tells of it. Members' plans are shared openly: others are in no coalition."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from events import coalitions as wire
from events.cloudevents import Event
from events.fields import Window
from matching.reference import display_name
from services.coalitions.formation import value_of
from services.domain.coalition import Coalition, Invitation, Member
from services.domain.ids import event_id
from services.store.plans import PlanRecord

_UNKNOWN = {"title": "", "stage": "planned"}


def coalition_state(coalition: Coalition, revision: int, stored: Mapping[str, PlanRecord]) -> wire.CoalitionState:
    """The payload of a coalition at a revision, with what its members' plans say now."""
    return wire.CoalitionState(
        coalition_id=coalition.coalition_id,
        revision=revision,
        terms_revision=coalition.terms_revision,
        status=coalition.status.value,
        members=tuple(_member(member, coalition, stored.get(member.plan_id)) for member in coalition.members),
        lead=coalition.lead,
        common_window=Window(earliest=coalition.earliest, latest=coalition.latest),
        together_from=coalition.dates.together_from,
        decide_by=coalition.dates.decide_by,
        invitation=_invitation(coalition.invitation),
        explanation=coalition.explanation,
        proposals=tuple(
            wire.CoalitionProposal(
                kind=one.kind.value,
                plan_id=one.plan_id,
                authority=one.authority,
                authority_name=display_name(one.authority),
                sentence=one.sentence,
            )
            for one in coalition.proposals
        ),
        ended_because=coalition.ended_because,
    )


def coalition_event(coalition: Coalition, state: wire.CoalitionState, cause: str | None, at: datetime) -> Event:
    """The event that tells of a coalition's state. `cause`: the id of the event that it follows from."""
    kind: type[wire.CoalitionPayload] = wire.CoalitionChanged if coalition.is_living else wire.CoalitionEnded
    return Event(
        id=event_id("coalition", state.coalition_id, state.revision),
        type=kind.type,
        source="/coalitions",
        subject=state.coalition_id,
        time=at,
        payload=kind.model_construct(**{name: getattr(state, name) for name in kind.model_fields}),
        causation_id=cause,
    )


def _member(member: Member, coalition: Coalition, plan: PlanRecord | None) -> wire.CoalitionMember:
    said: Mapping[str, Any] = (plan.state if plan is not None else None) or _UNKNOWN
    # Of a plan that is shared no longer, nothing newer is told.
    shared = said.get("sharing") == "open"
    window = said.get("tender_window") if shared else None
    interest = member.answer if member.answer in ("interested", "other-dates") else None
    return wire.CoalitionMember(
        plan_id=member.plan_id,
        plan_revision=plan.revision if plan is not None else 1,
        authority=member.authority,
        authority_name=display_name(member.authority),
        title=said["title"] if shared else "",
        value=value_of(plan) if shared else None,
        tender_window=Window.model_validate(window or {"earliest": coalition.earliest, "latest": coalition.latest}),
        stage=said.get("stage", "planned") if shared else "planned",
        contract_ends=(said.get("current_contract") or {}).get("end") if shared else None,
        supplier=(said.get("current_contract") or {}).get("supplier", "") if shared else "",
        preference=said.get("preference") if shared else None,
        state=member.state.value,
        committed=member.committed,
        interest=cast(Any, interest),
    )


def _invitation(invitation: Invitation | None) -> wire.CoalitionInvitation | None:
    if invitation is None:
        return None
    return wire.CoalitionInvitation(
        by=invitation.by,
        invited_on=invitation.invited_on,
        reply_by=invitation.reply_by,
        scope=invitation.scope,
        route=invitation.route,
    )
