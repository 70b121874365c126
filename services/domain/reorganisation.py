"""The effects of a reorganisation: new addressees, plans that move, and pairs that become one authority. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from matching.plan import Kind, Plan
from matching.reference import authority as known_authority
from matching.reference import display_name
from matching.successions import Succession, SuccessionKind, dissolution_of, dissolutions
from matching.text.formatting import authority_short_name, format_date, join_words

CONSENT_POUNDS: Final = 100_000.0
CAPITAL_POUNDS: Final = 1_000_000.0
"""Once a direction is in force, a dissolving authority needs its successor's consent above these whole-life values:
section 24 of the Local Government and Public Involvement in Health Act 2007."""


_WORKS: Final = "45"
"""The CPV division of construction works."""


class Destination(StrEnum):
    """The destination of a dissolved authority's plan."""

    SUCCESSOR = "successor"
    WAITS = "waits for a person"


class SuccessorConsent(StrEnum):
    """Whether a contract that outlasts the authority needs the successor's consent."""

    NOT_NEEDED = "not needed"
    NEEDED = "needed"
    UNKNOWN = "unknown"
    """The contract's end or value is unknown."""


@dataclass(frozen=True, slots=True)
class AffectedPlan:
    """One active plan of an authority that will be dissolved. `capital`: works and projects have the higher limit."""

    plan_id: str
    authority: str
    title: str
    opens: date
    contract_end: date | None
    value: float | None
    capital: bool


@dataclass(frozen=True, slots=True)
class PlanMove:
    """The move of one plan. `successors`: its new authority, or several to choose from."""

    plan: AffectedPlan
    destination: Destination
    successors: tuple[str, ...]
    consent: SuccessorConsent


@dataclass(frozen=True, slots=True)
class PairMerger:
    """A pair whose authorities become one: no coalition, but one purchase. Not `certain` if a plan has several
    successors."""

    opportunity_id: str
    plans: tuple[str, str]
    successor: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Addressee:
    """A dissolved authority and its successors, which get its emails: those with a mailbox, and those without."""

    authority: str
    reachable: tuple[str, ...]
    unreachable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """All changes of one day."""

    starts: date
    names: Mapping[str, str]
    addressees: tuple[Addressee, ...]
    moves: tuple[PlanMove, ...]
    mergers: tuple[PairMerger, ...]


def preview(
    successions: Iterable[Succession],
    starts: date,
    plans: Sequence[AffectedPlan],
    pairs: Iterable[tuple[str, str, str]],
    mailboxes: Iterable[str],
) -> Preview:
    """Preview the successions of one day. `pairs`: active opportunities as id and both plans; `mailboxes`: the
    authorities that have one. Authorities that continue keep their plans and their mailbox."""
    of_day = [one for one in successions if one.starts == starts and one.kind is not SuccessionKind.CONTINUING]
    heirs: dict[str, list[Succession]] = {}
    for one in sorted(of_day, key=lambda one: (one.predecessor, one.successor)):
        heirs.setdefault(one.predecessor, []).append(one)
    moves = [_move(plan, heirs[plan.authority], starts) for plan in plans if plan.authority in heirs]
    known = set(mailboxes)
    return Preview(
        starts=starts,
        names={one.successor: one.successor_name for one in of_day},
        addressees=tuple(_addressee(code, [one.successor for one in found], known) for code, found in heirs.items()),
        moves=tuple(sorted(moves, key=lambda move: move.plan.plan_id)),
        mergers=tuple(_mergers(pairs, {move.plan.plan_id: move for move in moves})),
    )


def name_on(code: str, day: date) -> str:
    """What an authority is called on a day: a dissolved one by its successor's name, with its own behind."""
    heir = dissolutions(day).get(code)
    return for_predecessor(heir.successor_name, code) if heir else authority_short_name(code)


def full_name_on(code: str, day: date) -> str:
    """The same with the full name of an authority that is not dissolved."""
    return name_on(code, day) if is_dissolved(code, day) else display_name(code)


def for_predecessor(successor_name: str, code: str) -> str:
    """The name of a successor where it stands for a predecessor."""
    return f"{successor_name} (for {authority_short_name(code)})"


def is_for_predecessor(name: str, code: str) -> bool:
    """Whether a name is the one of a successor that stands for this predecessor."""
    return name.endswith(for_predecessor("", code))


def is_dissolved(code: str, day: date) -> bool:
    """Whether an authority is dissolved by a day."""
    return code in dissolutions(day)


def waits_for_person(code: str, day: date) -> bool:
    """Whether a council has ceased to be and no single one has taken its place: its plans wait for a person.

    It is neither told nor told of. A succession in effect says more than the register's last day.
    """
    dissolved = dissolutions(day)
    if code in dissolved:
        return dissolved[code] is None
    council = known_authority(code)
    return council is not None and council.end is not None and council.end <= day.isoformat()


def say_consent(plan: Plan, today: date) -> str | None:
    """What a dissolving authority is told of a contract that runs past its last day; None where there is nothing."""
    heirs = dissolution_of(plan.authority)
    if not heirs or today >= heirs[0].starts:
        return None
    consent = consent_for(to_affected_plan(plan), heirs[0].starts)
    names, day = join_words([one.successor_name for one in heirs]), format_date(heirs[0].starts)
    if consent is SuccessorConsent.NEEDED:
        return f"This contract runs past {day}: it may need the written consent of {names} (section 24 direction)."
    if consent is SuccessorConsent.UNKNOWN:
        return f"If this contract runs past {day}, it may need the written consent of {names} (section 24 direction)."
    return None


def to_affected_plan(plan: Plan) -> AffectedPlan:
    """What a reorganisation looks at in a plan."""
    return AffectedPlan(
        plan_id=plan.plan_id,
        authority=plan.authority,
        title=plan.title,
        opens=plan.tender_window.earliest,
        contract_end=plan.contract_end,
        value=plan.value,
        capital=plan.kind is Kind.PROJECT or any(code.startswith(_WORKS) for code in plan.cpv),
    )


def consent_for(plan: AffectedPlan, starts: date) -> SuccessorConsent:
    """Whether the plan's contract, if it is awarded before the day, needs the successor's consent."""
    if plan.opens >= starts or (plan.contract_end is not None and plan.contract_end < starts):
        return SuccessorConsent.NOT_NEEDED
    limit = CAPITAL_POUNDS if plan.capital else CONSENT_POUNDS
    if plan.value is not None and plan.value <= limit:
        return SuccessorConsent.NOT_NEEDED
    return SuccessorConsent.UNKNOWN if plan.value is None or plan.contract_end is None else SuccessorConsent.NEEDED


def _move(plan: AffectedPlan, heirs: Sequence[Succession], starts: date) -> PlanMove:
    whole = len(heirs) == 1 and heirs[0].kind is SuccessionKind.WHOLE
    destination = Destination.SUCCESSOR if whole else Destination.WAITS
    return PlanMove(plan, destination, tuple(one.successor for one in heirs), consent_for(plan, starts))


def _addressee(code: str, successors: Sequence[str], mailboxes: set[str]) -> Addressee:
    return Addressee(
        authority=code,
        reachable=tuple(one for one in successors if one in mailboxes),
        unreachable=tuple(one for one in successors if one not in mailboxes),
    )


def _mergers(pairs: Iterable[tuple[str, str, str]], moves: Mapping[str, PlanMove]) -> Iterable[PairMerger]:
    for opportunity_id, plan_a, plan_b in sorted(pairs):
        if plan_a not in moves or plan_b not in moves:
            continue
        both = moves[plan_a], moves[plan_b]
        certain = all(move.destination is Destination.SUCCESSOR for move in both)
        for successor in sorted(set(both[0].successors) & set(both[1].successors)):
            yield PairMerger(opportunity_id, (plan_a, plan_b), successor, certain)
