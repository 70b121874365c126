"""Finds framework agreements that cover a plan: by scope, on the day of need, and open to the plan's authority."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from matching import reference
from matching.features import Features, related_to
from matching.pair_scoring import similarity_of
from matching.plan import Plan, Window
from matching.policy import Policy
from matching.text.formatting import format_date, sanitise_line
from matching.text.route import Route, route_of

COVERS: Final = 0.2
"""The specification, 0 to 1, from which a lot's scope covers a plan.

A scope is broader than a plan, so this is below the scorer's own bands. For 136 public agreements and 300 real plans,
37 of the 47 pairs above it were worth a look.
"""

_GENERAL_DIGITS: Final = 3
"""The significant digits of a CPV code, at most, that names a whole market: a division (2) or a group (3)."""

REGION: Final = re.compile(r"UK|TL[A-Z][A-Z0-9]{0,2}")
"""An ITL code. Any other entitled code is an authority's."""

_OWNER: Final = "GB-X-FRAMEWORK"


class AwardMethod(StrEnum):
    """The way in which contracts are awarded under a framework."""

    DIRECT = "direct"
    COMPETITION = "competition"
    EITHER = "either"
    UNKNOWN = "unknown"


class Term(StrEnum):
    """The position of the day of need in a framework's term."""

    RUNNING = "running"
    IF_EXTENDED = "if-extended"
    ENDED = "ended"
    NOT_BEGUN = "not-begun"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FrameworkLot:
    """One lot of a framework agreement, or a whole agreement without lots (`lot` is empty).

    `extended_until`: the last day of the term with every extension. `entitled`: codes of authorities and ITL regions;
    empty means everybody, None means unknown. `fee_percent`: the owner's charge.
    """

    framework: str
    title: str
    owner: str
    starts: date
    ends: date | None = None
    extended_until: date | None = None
    lot: str = ""
    lot_title: str = ""
    scope: str = ""
    cpv: tuple[str, ...] = ()
    entitled: tuple[str, ...] | None = None
    award: AwardMethod = AwardMethod.UNKNOWN
    fee_percent: float | None = None
    url: str = ""
    source: str = ""

    @property
    def key(self) -> str:
        """The unique key of a lot."""
        return f"{self.framework}/{self.lot}" if self.lot else self.framework

    @property
    def name(self) -> str:
        """The agreement and its lot, for readers."""
        lot = f", lot {self.lot}" if self.lot else ""
        return f"{self.title} ({self.framework}{lot}{': ' + self.lot_title if self.lot_title else ''})"


@dataclass(frozen=True, slots=True)
class Coverage:
    """A lot whose scope covers a plan. `entitled` is None if the authority has to ask whether it may use the lot.

    `general`: the scope names no need of the plan, but the lot's CPV code names the market that the plan's code is in.
    """

    lot: FrameworkLot
    likeness: float
    term: Term
    entitled: bool | None
    needs: tuple[str, ...]
    general: bool = False

    @property
    def usable(self) -> bool:
        """Whether no known fact rules it out."""
        return self.term in (Term.RUNNING, Term.IF_EXTENDED, Term.UNKNOWN) and self.entitled is not False


def to_plan(lot: FrameworkLot) -> Plan:
    """Turn a lot into a plan that the engine can compare: its title and scope. Its dates play no part."""
    title = f"{lot.title}: {lot.lot_title}" if lot.lot_title else lot.title
    window = Window(lot.starts, max(lot.starts, lot.ends or lot.starts))
    return Plan(f"{_OWNER}:{lot.key}", 1, _OWNER, title, window, lot.scope, cpv=lot.cpv)


def day_of_need(plan: Plan) -> date:
    """The last day to call off a contract: the last day of the plan's tender window."""
    return plan.tender_window.latest


def covering(plan: Features, lots: Iterable[tuple[FrameworkLot, Features]], policy: Policy) -> list[Coverage]:
    """Find the lots whose scope covers a plan, general ones last: usable ones first, then by likeness; the same in
    any order."""
    found = []
    for lot, features in lots:
        worth = similarity_of(plan, features, policy).specification
        general = worth < COVERS
        if general and not _same_market(lot.cpv, plan.plan.cpv):
            continue
        needs = tuple(sorted(set(plan.concepts) & set(features.concepts)))
        term, entitled = term_on(lot, day_of_need(plan.plan)), is_entitled(lot, plan.plan.authority)
        found.append(Coverage(lot, worth, term, entitled, needs, general))
    return sorted(found, key=lambda one: (one.general, not one.usable, -one.likeness, one.lot.key))


def _same_market(general: Iterable[str], codes: Iterable[str]) -> bool:
    """Whether a code of a whole market has one of these codes below it; a specific code says nothing here."""
    stems = (code[:8].rstrip("0").ljust(2, "0") for code in general)
    markets = tuple(stem for stem in stems if len(stem) <= _GENERAL_DIGITS)
    return any(code.startswith(markets) for code in codes)


def usable_frameworks(plan: Plan, found: Iterable[Coverage]) -> dict[str, str]:
    """The titles of the frameworks that a plan can use, by reference; none if the plan is a call-off itself.

    Agreements for a whole market are left out. They cover so wide a field that nearly every page would have a prompt.
    """
    if route_of(plan) is Route.CALL_OFF:
        return {}
    return {one.lot.framework: one.lot.title for one in found if one.usable and not one.general}


def term_on(lot: FrameworkLot, day: date) -> Term:
    """Locate a day in the term of a lot."""
    if day < lot.starts:
        return Term.NOT_BEGUN
    if lot.ends is None:
        return Term.UNKNOWN
    if day <= lot.ends:
        return Term.RUNNING
    return Term.IF_EXTENDED if lot.extended_until is not None and day <= lot.extended_until else Term.ENDED


def is_entitled(lot: FrameworkLot, authority: str) -> bool | None:
    """Whether an authority may use a lot; None if unknown. A successor inherits its predecessor's entitlement."""
    if lot.entitled is None:
        return None
    if not lot.entitled or related_to(authority) & set(lot.entitled):
        return True
    known = reference.authority(authority)
    regions = [code for code in lot.entitled if REGION.fullmatch(code)]
    return any(code == "UK" or area.startswith(code) for code in regions for area in (known.regions if known else ()))


def say_coverage(found: Coverage) -> list[str]:
    """The sentences to read before using a lot."""
    lot = found.lot
    return [
        *([_GENERAL] if found.general else []),
        _say_term(found),
        {
            True: "You may use it.",
            False: "Your authority is not among those that may use it.",
            None: f"Ask {sanitise_line(lot.owner)} whether you may use it.",
        }[found.entitled],
        _AWARD[lot.award],
        *([f"{sanitise_line(lot.owner)} charges a fee of {lot.fee_percent:g} per cent."] if lot.fee_percent else []),
    ]


def _say_term(found: Coverage) -> str:
    lot = found.lot
    match found.term:
        case Term.NOT_BEGUN:
            return f"It begins on {format_date(lot.starts)}, after you need it."
        case Term.RUNNING if lot.ends:
            return f"It runs from {format_date(lot.starts)} until {format_date(lot.ends)}."
        case Term.IF_EXTENDED if lot.ends and lot.extended_until:
            return f"It ends on {format_date(lot.ends)} and can be extended until {format_date(lot.extended_until)}."
        case Term.ENDED if last := lot.extended_until or lot.ends:
            return f"It ends on {format_date(last)}, before you need it."
        case _:
            return f"It began on {format_date(lot.starts)}; its end is not known."


_GENERAL: Final = "It is for a whole market: ask whether it has what you need."

_AWARD: Final = {
    AwardMethod.DIRECT: "Contracts are awarded directly.",
    AwardMethod.COMPETITION: "A further competition is held: councils can hold it together.",
    AwardMethod.EITHER: "Contracts are awarded directly or by further competition.",
    AwardMethod.UNKNOWN: "How contracts are awarded is not known.",
}
