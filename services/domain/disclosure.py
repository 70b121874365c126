"""Applies `sharing`: opportunities and coalitions reveal no more than their plans share, contracts only to open tiers.

An opportunity with a plan that is not shared openly shows authorities, windows, regions and band, and nothing else.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final, Protocol

from events import opportunities as wire
from events.coalitions import CoalitionMember, MemberState
from events.contracts import ContractPublished
from events.fields import Origin
from events.fields import Window as WireWindow
from events.plans import CurrentContract
from events.responses import DocumentReaders
from matching.assessment import Assessment, Component, NearestMove
from matching.engine import Generation
from matching.plan import Plan, Sharing, Status, Window
from matching.reference import display_name
from services.domain.opportunity_status import OpportunityStatus


class HasSharing(Protocol):
    """A plan as the engine knows it, or as an opportunity's event shows it."""

    @property
    def sharing(self) -> str: ...


_FROM_WIDEST: Final = (Sharing.OPEN, Sharing.MATCH_ONLY, Sharing.PRIVATE)


def pair_sharing(*plans: HasSharing) -> Sharing:
    """The sharing of several plans together: that of the most restrictive."""
    return max((Sharing(plan.sharing) for plan in plans), key=_FROM_WIDEST.index)


def are_open(*plans: HasSharing) -> bool:
    """Whether all of the plans are shared openly."""
    return pair_sharing(*plans) is Sharing.OPEN


def include_private(*plans: HasSharing) -> bool:
    """Whether one of the plans is private."""
    return pair_sharing(*plans) is Sharing.PRIVATE


def sharing_of(state: Mapping[str, Any] | None) -> Sharing:
    """The sharing of a plan's payload. A plan without content, or whose content leaves it out, shares nothing.

    Publishing fills in the default, so every stored payload says it.
    """
    return Sharing((state or {}).get("sharing", Sharing.PRIVATE))


def is_open(state: Mapping[str, Any] | None) -> bool:
    """Whether a plan's payload is shared openly."""
    return sharing_of(state) is Sharing.OPEN


def is_private(state: Mapping[str, Any] | None) -> bool:
    """Whether a plan's payload is private."""
    return sharing_of(state) is Sharing.PRIVATE


def is_matchable(status: str, sharing: str) -> bool:
    """Whether a plan can be matched: it is active, and shared with others."""
    return status == Status.ACTIVE and sharing != Sharing.PRIVATE


class Tier(StrEnum):
    """The audience of a contract, from narrowest to widest."""

    COALITION = "coalition"
    SIGNATORIES = "signatories"
    PUBLIC = "public"


_TIERS: Final = tuple(Tier)


def contract_opens_on(contract: ContractPublished, tier: Tier) -> date | None:
    """The first day on which a tier, or a wider one, may see a contract; None if never."""
    days = [getattr(contract.sharing, wider.value) for wider in _TIERS[_TIERS.index(tier) :]]
    return min((day for day in days if day), default=None)


def contract_is_open(contract: ContractPublished, tier: Tier, day: date) -> bool:
    """Whether a tier may see a contract on a day."""
    opens = contract_opens_on(contract, tier)
    return opens is not None and opens <= day


def shown_current_contract(state: Mapping[str, Any]) -> CurrentContract | None:
    """The part of the current contract that others may see: nothing unless the plan is shared openly."""
    contract = state.get("current_contract")
    return CurrentContract.model_validate(contract) if contract and is_open(state) else None


@dataclass(frozen=True, slots=True)
class Requester:
    """The authority behind a benchmark request, as others see it. Without a code, all of it is unsaid."""

    authority: str | None = None
    title: str = ""
    supplier: str = ""


def shown_requester(authority: str, state: Mapping[str, Any] | None) -> Requester | None:
    """What a request for a plan shows to those it is put to; None if it must not be put to anybody.

    A match_only plan is asked about without a name, and nobody learns of a private one.
    """
    if state is None or is_private(state):
        return None
    if not is_open(state):
        return Requester()
    contract = shown_current_contract(state)
    return Requester(authority, state["title"], contract.supplier if contract else "")


def opportunity_state(
    opportunity_id: str,
    assessment: Assessment,
    plans: tuple[Plan, Plan],
    *,
    status: OpportunityStatus,
    band: wire.Band,
    revisions: tuple[int, int],
    as_of: date,
    generation: Generation,
    withdrawn_because: Sequence[str] = (),
) -> wire.OpportunityState:
    """Build the payload of an opportunity event. `plans` in the assessment's order; `revisions`: own, material."""
    open_ = are_open(*plans)
    common = assessment.common_window
    return wire.OpportunityState(
        opportunity_id=opportunity_id,
        revision=revisions[0],
        material_revision=revisions[1],
        status="active" if status == OpportunityStatus.ACTIVE else "withdrawn",
        band=band,
        score=assessment.score if open_ else None,
        plans=(_side(plans[0], open_), _side(plans[1], open_)),
        components=_components(assessment) if open_ else None,
        reasons=_reasons(assessment, status, open_, withdrawn_because),
        would_change=assessment.would_change if open_ else (),
        common_window=_window(common) if common else None,
        # The day to decide by tells of the lead time, and that of the category.
        decide_by=assessment.decide_by if open_ else None,
        join_by=assessment.decide_by if open_ else None,
        lead_days=assessment.lead_days if open_ and common else None,
        nearest_move=_move(assessment.nearest_move),
        assessed_as_of=as_of,
        generation=wire.Generation(policy=generation.policy, statistics=generation.statistics, model=generation.model),
    )


def names_plans(state: wire.OpportunityState) -> bool:
    """Whether an opportunity's payload names its plans: only if both are shared openly."""
    return all(side.plan_id is not None for side in state.plans)


def redact_opportunity(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the fields of an opportunity's payload that a match_only plan hides."""
    hidden = {"title": None, "plan_id": None, "revision": None, "notice": None}
    sides = [{**side, **hidden} for side in payload["plans"]]
    unknown = dict.fromkeys(("score", "components", "decide_by", "join_by", "lead_days"))
    return {**payload, "plans": sides, "would_change": [], **unknown}


def _move(move: NearestMove | None) -> wire.NearestMove | None:
    """Windows are shown even for match_only plans, and the move follows from the windows."""
    if move is None:
        return None
    return wire.NearestMove(
        authority=move.authority,
        months=move.months,
        tender_window=_window(move.tender_window),
        common_window=_window(move.common_window),
    )


def _window(window: Window) -> WireWindow:
    return WireWindow(earliest=window.earliest, latest=window.latest)


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """The facts that an openly shared plan shows to its partners.

    `value` is in pounds, None if unknown or in another currency. `contract_ends` and `supplier` belong to the current
    contract.
    """

    title: str
    tender_window: WireWindow
    value: float | None = None
    stage: str = "planned"
    contract_ends: date | None = None
    supplier: str = ""
    preference: str | None = None


def plan_facts(state: Mapping[str, Any] | None, *, introduced: bool = False) -> PlanFacts | None:
    """The facts that a plan's payload shows to others; None if it is not shared openly.

    `introduced`: the reader was introduced, and may also see a match_only plan. Nobody ever sees a private one.
    """
    hidden = is_private(state) if introduced else not is_open(state)
    return None if state is None or hidden else read_facts(state)


def member_facts(member: CoalitionMember) -> PlanFacts:
    """The facts of a member's plan, from its coalition's event."""
    return PlanFacts(
        title=member.title,
        tender_window=member.tender_window,
        value=member.value,
        stage=member.stage,
        contract_ends=member.contract_ends,
        supplier=member.supplier,
        preference=member.preference,
    )


def pounds_of(value: Mapping[str, Any] | None) -> float | None:
    """The value in a plan's payload, in pounds; None if unknown or in another currency."""
    return float(value["amount"]) if value and value.get("currency", "GBP") == "GBP" else None


def read_facts(state: Mapping[str, Any]) -> PlanFacts:
    """Read all facts of a plan's payload, for its own authority. For others use `plan_facts`."""
    now = state.get("current_contract") or {}
    return PlanFacts(
        title=state["title"],
        tender_window=WireWindow.model_validate(state["tender_window"]),
        value=pounds_of(state.get("value")),
        stage=state.get("stage", "planned"),
        contract_ends=date.fromisoformat(now["end"]) if now.get("end") else None,
        supplier=now.get("supplier", ""),
        preference=state.get("preference"),
    )


def shows_document(readers: DocumentReaders, state: str) -> bool:
    """Whether a document's address is for a member in this state; both plans are shared openly."""
    return state == MemberState.ACCEPTED or (state == MemberState.INVITED and readers is not DocumentReaders.MEMBERS)


def shows_document_to_signatories(readers: DocumentReaders, state: Mapping[str, Any] | None) -> bool:
    """Whether a document's address is for every signatory. `state`: the payload of the plan that it belongs to."""
    return readers is DocumentReaders.SIGNATORIES and is_open(state)


def shown_to_party(
    members: Iterable[CoalitionMember], of_party: Collection[str], open_plans: Collection[str]
) -> tuple[CoalitionMember, ...]:
    """The members of a coalition that a party sees: those of its own members whose plans are shared openly now."""
    return tuple(one for one in members if one.authority in of_party and one.plan_id in open_plans)


UNSAID_EXPLANATION: Final = "One of the authorities no longer shares its plan; ask each other for the details."


def redact_coalition(payload: Mapping[str, Any], authority: str, open_plans: Collection[str]) -> dict[str, Any]:
    """Redact a coalition's payload for one of its authorities. `open_plans`: the plans still shared openly.

    All plans were open when the payload was written. A plan that no longer is shows only its authority and state. If
    the
    reader's own plan is no longer open, the same applies to every other plan.
    """
    owners = {member["plan_id"]: member["authority"] for member in payload["members"]}
    reciprocal = any(owner == authority and plan_id in open_plans for plan_id, owner in owners.items())

    def shows(plan_id: str) -> bool:
        return owners.get(plan_id) == authority or (reciprocal and plan_id in open_plans)

    hidden = _HIDDEN_MEMBER | {"tender_window": payload["common_window"]}
    members = [member if shows(member["plan_id"]) else member | hidden for member in payload["members"]]
    redacted = {**payload, "members": members, "lead_authority": owners.get(payload["lead"])}
    redacted["proposals"] = [one for one in payload["proposals"] if shows(one["plan_id"])]
    if payload["lead"] is not None and not shows(payload["lead"]):
        redacted["lead"] = None
    invitation = payload["invitation"]
    if invitation is not None and invitation["by"] is not None and not shows(invitation["by"]):
        redacted["invitation"] = {**invitation, "by": None, "scope": "", "route": ""}
    if not all(shows(plan_id) for plan_id in owners):
        redacted["explanation"] = UNSAID_EXPLANATION
    return redacted


_HIDDEN_MEMBER: Final = {
    "plan_id": None,
    "plan_revision": None,
    "title": "",
    "value": None,
    "stage": None,
    "contract_ends": None,
    "supplier": "",
    "preference": None,
}


def _side(plan: Plan, open_: bool) -> wire.PlanSummary:
    return wire.PlanSummary(
        plan_id=plan.plan_id if open_ else None,
        revision=plan.revision if open_ else None,
        authority=plan.authority,
        authority_name=display_name(plan.authority),
        title=plan.title if open_ else None,
        sharing=plan.sharing.value,
        tender_window=_window(plan.tender_window),
        regions=plan.regions,
        origin=Origin(plan.origin),
        notice=plan.notice if open_ else None,
    )


def _components(assessment: Assessment) -> wire.Components:
    return wire.Components(
        specification=_component(assessment.specification),
        timing=_component(assessment.timing),
        region=_component(assessment.region),
        value=_component(assessment.value),
    )


def _component(component: Component) -> wire.Component:
    return wire.Component.model_validate({"value": component.value, "saw": dict(component.saw)})


def _reasons(
    assessment: Assessment, status: OpportunityStatus, open_: bool, withdrawn_because: Sequence[str]
) -> tuple[str, ...]:
    if status != OpportunityStatus.ACTIVE:
        return tuple(withdrawn_because) if open_ else ("The two plans no longer match.",)
    if open_:
        return assessment.reasons
    return ("One of the two authorities shares only that there is a match; ask each other for the details.",)
