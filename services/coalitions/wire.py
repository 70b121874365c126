"""Builds a coalition's event. Only openly shared plans are members of coalitions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from events import coalitions as wire
from events.cloudevents import Event
from events.fields import Window
from events.responses import AnswerKind
from matching.reference import display_name
from services.domain.coalition import Coalition, Invitation, Member
from services.domain.disclosure import PlanFacts, plan_facts
from services.domain.ids import event_id
from services.store.plans import PlanRecord


def coalition_state(coalition: Coalition, revision: int, stored: Mapping[str, PlanRecord]) -> wire.CoalitionState:
    """Build the payload of a coalition at a revision, with the present facts of its members' plans."""
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
    """Build the event that publishes a coalition's state. `cause`: the id of the event behind the change."""
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
    # A plan that is no longer shared publishes nothing new.
    facts = plan_facts(plan.state if plan is not None else None)
    if facts is None:
        facts = PlanFacts("", Window(earliest=coalition.earliest, latest=coalition.latest))
    interest = member.answer if member.answer in (AnswerKind.INTERESTED, AnswerKind.OTHER_DATES) else None
    return wire.CoalitionMember(
        plan_id=member.plan_id,
        plan_revision=plan.revision if plan is not None else 1,
        authority=member.authority,
        authority_name=display_name(member.authority),
        title=facts.title,
        value=facts.value,
        tender_window=facts.tender_window,
        stage=facts.stage,
        contract_ends=facts.contract_ends,
        supplier=facts.supplier,
        preference=cast(Any, facts.preference),
        state=member.state.value,
        committed=member.committed,
        interest=cast(Any, interest),
    )


def _invitation(invitation: Invitation | None) -> wire.CoalitionInvitation | None:
    if invitation is None:
        return None
    return wire.CoalitionInvitation(
        by=invitation.by,
        convened_by=invitation.convened_by,
        invited_on=invitation.invited_on,
        reply_by=invitation.reply_by,
        scope=invitation.scope,
        route=invitation.route,
    )
