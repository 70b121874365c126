"""The gates: reasons for which two plans are no opportunity, however alike. Each has a stable code and a sentence.

Unknown values pass. A gate that depends on the day can only close with time, never open again.
"""

from datetime import date

from matching.assessment import Gate, GateCode
from matching.components.region import nations
from matching.features import Features
from matching.plan import Sharing, Stage, Status
from matching.policy import Policy
from matching.reference.bodies import is_same_body
from matching.successions import merger_of
from matching.text.formatting import authority_short_name, format_date, format_pounds


def state_gates(a: Features, as_of: int) -> list[Gate]:
    """The gates of one plan's state, which exclude it from every pair."""
    plan, who, found = a.plan, authority_short_name(a.plan.authority), []
    if plan.sharing is Sharing.PRIVATE:
        found.append(Gate(GateCode.PRIVATE, f"{who} does not share this plan."))
    if plan.status is Status.WITHDRAWN:
        found.append(Gate(GateCode.WITHDRAWN, f"{who} has withdrawn its plan."))
    if plan.status is Status.AWARDED:
        found.append(Gate(GateCode.AWARDED, f"{who} has awarded its contract."))
    if plan.stage is Stage.TENDERING:
        found.append(Gate(GateCode.CLOSED, f"{who} is already tendering or awarding: nobody can join any more."))
    elif as_of > a.span.latest:
        found.append(
            Gate(GateCode.CLOSED, f"{who}'s tender window ended on {format_date(date.fromordinal(a.span.latest))}.")
        )
    return found


def requirement_gates(a: Features, policy: Policy) -> list[Gate]:
    """The gates of one plan's requirement, which exclude it from every pair on any day."""
    who, found = authority_short_name(a.plan.authority), []
    if a.vague:
        found.append(Gate(GateCode.WEAK_SPECIFICATION, f"{who}'s plan does not say enough of what it wants."))
    elif _too_broad(a, policy):
        found.append(
            Gate(GateCode.WEAK_SPECIFICATION, f"{who}'s plan names too many things at once to say what it wants.")
        )
    if a.small:
        found.append(
            Gate(
                GateCode.TOO_SMALL,
                f"{who}'s plan is worth {format_pounds(a.value)}; from {format_pounds(a.category.value_floor)} on "
                "a joint tender pays.",
            )
        )
    if a.one_off:
        found.append(Gate(GateCode.PLACE_BOUND, f"{who}'s plan is for one-off works at a named place."))
    return found


def _too_broad(a: Features, policy: Policy) -> bool:
    """Whether a plan is made to match everything, judged only by its own title and codes.

    The number of its matches does not count: that depends on other plans, and on their order of arrival.
    """
    limits = policy.specification
    divisions = {code[:2] for code in a.cpv_codes}
    return len(a.title_terms) > limits.max_title_words or len(divisions) > limits.max_cpv_divisions


def market_gates(a: Features, b: Features) -> list[Gate]:
    """The gate of nations with a separate market for what both plans buy."""
    separate = {*a.category.separate_nations} & {*b.category.separate_nations}
    here, there = nations(a.delivery_area), nations(b.delivery_area)
    for nation in sorted(separate):
        alone = here == {nation}, there == {nation}
        if here and there and any(alone) and nation not in here & there:
            return [Gate(GateCode.OTHER_MARKET, f"{nation} has its own market for {a.category.name}.")]
    return []


def authority_gates(a: Features, b: Features) -> list[Gate]:
    """The gates between an authority and itself, its predecessors, its successors, and partners in one procurement."""
    if a.plan.authority == b.plan.authority:
        return [Gate(GateCode.SAME_AUTHORITY, "Both plans are of the same authority.")]
    if a.plan.authority in b.related_authorities or b.plan.authority in a.related_authorities:
        return [Gate(GateCode.RELATED_AUTHORITY, "One authority is the predecessor or successor of the other.")]
    if is_same_body(a.plan.authority, b.plan.authority):
        return [Gate(GateCode.SAME_AUTHORITY, "The two identifiers name one organisation, or a part of it.")]
    if a.plan.procurement and a.plan.procurement == b.plan.procurement:
        return [Gate(GateCode.SAME_PROCUREMENT, "Both plans are of one procurement: the two buy together already.")]
    return []


def reorganisation_gates(a: Features, b: Features, as_of: int) -> list[Gate]:
    """The gate between two authorities that have become one."""
    merger = merger_of(a.plan.authority, b.plan.authority)
    if merger is None or not merger.certain or as_of < merger.starts.toordinal():
        return []
    since = format_date(merger.starts)
    return [Gate(GateCode.RELATED_AUTHORITY, f"Both are one authority since {since}: {merger.successor_name}.")]
