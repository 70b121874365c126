"""The reasons for which two plans are no opportunity, however alike: each with a stable code and a sentence.

Unknown values pass. Each gate that looks at the day only ever closes as days go by.
"""

from datetime import date

from matching.assessment import Gate
from matching.features import Features
from matching.plan import Sharing, Stage, Status
from matching.policy import Policy
from matching.text.formatting import day_text, name_of, pounds

CODES = (
    "same-authority",
    "related-authority",
    "same-procurement",
    "private",
    "withdrawn",
    "awarded",
    "closed",
    "no-common-window",
    "too-late",
    "too-small",
    "weak-specification",
    "local-distance",
    "place-bound",
)


def of_plan(a: Features, as_of: int, policy: Policy) -> list[Gate]:
    """The gates that one plan closes to every partner."""
    plan, who, found = a.plan, name_of(a.plan.authority), []
    if plan.sharing is Sharing.PRIVATE:
        found.append(Gate("private", f"{who} does not share this plan."))
    if plan.status is Status.WITHDRAWN:
        found.append(Gate("withdrawn", f"{who} has withdrawn its plan."))
    if plan.status is Status.AWARDED:
        found.append(Gate("awarded", f"{who} has awarded its contract."))
    if plan.stage is Stage.TENDERING:
        found.append(Gate("closed", f"{who} is already tendering: nobody can join any more."))
    elif as_of > a.span.latest:
        found.append(Gate("closed", f"{who}'s tender window ended on {day_text(date.fromordinal(a.span.latest))}."))
    if a.vague:
        found.append(Gate("weak-specification", f"{who}'s plan does not say enough of what it wants."))
    elif _boundless(a, policy):
        found.append(Gate("weak-specification", f"{who}'s plan names too many things at once to say what it wants."))
    if a.one_off:
        found.append(Gate("place-bound", f"{who}'s plan is for one-off works at a named place."))
    return found


def _boundless(a: Features, policy: Policy) -> bool:
    """Whether a plan is made to match everything: by its own title and codes alone, never by how many it matches. That
    would depend on who else has published, and on the order."""
    limits = policy.specification
    divisions = {code[:2] for code in a.codes}
    return len(a.title_terms) > limits.most_title_words or len(divisions) > limits.most_divisions


def of_authorities(a: Features, b: Features) -> list[Gate]:
    """The gates between an authority and itself, its predecessors and successors, and those it buys with already."""
    if a.plan.authority == b.plan.authority:
        return [Gate("same-authority", "Both plans are of the same authority.")]
    if a.plan.authority in b.related or b.plan.authority in a.related:
        return [Gate("related-authority", "One authority is the predecessor or successor of the other.")]
    if a.plan.procurement and a.plan.procurement == b.plan.procurement:
        return [Gate("same-procurement", "Both plans are of one procurement: the two buy together already.")]
    return []


def of_money(a: Features, b: Features) -> list[Gate]:
    """The gate for plans too small to be worth a joint tender; both amounts must be known."""
    total, floor = a.value + b.value, max(a.category.value_floor, b.category.value_floor)
    if total < floor:
        return [Gate("too-small", f"Together they are worth {pounds(total)}, less than {pounds(floor)}.")]
    return []
