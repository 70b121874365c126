"""Which councils have contracts with a supplier, until when, and whose contracts end in the same year. Pure.

The councils of a group share a supplier, not a need: coalitions are formed from needs.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.contracts import ContractPublished, Rating
from matching.text.formatting import format_date, format_month, join_words, sanitise_line
from services.domain.reorganisation import name_on
from services.domain.suppliers import supplier_key, supplier_names

MIN_RATING_AUTHORITIES: Final = 3
MIN_GROUP_AUTHORITIES: Final = 3
GROUP_DAYS: Final = 365
MAX_NAMED: Final = 6
"""How many councils of a group an email names."""

SUPPLIER_NOT_NEED: Final = "They share a supplier, not a need."

_WORST_FIRST: Final[tuple[Rating, ...]] = ("inadequate", "requires-improvement", "approaching-target", "good", "other")


@dataclass(frozen=True, slots=True)
class SupplierContract:
    """A current contract, as far as its authority shows it. `reference`: the contract's id, or its plan's."""

    authority: str
    reference: str
    supplier: str
    product: str
    end: date | None


@dataclass(frozen=True, slots=True)
class SupplierGroup:
    """Councils whose contracts with one supplier end within a year, earliest end first."""

    supplier: str
    contracts: tuple[SupplierContract, ...]

    @property
    def authorities(self) -> int:
        """The number of councils."""
        return len({one.authority for one in self.contracts})


def merge_sources(
    contracts: Iterable[SupplierContract], plans: Iterable[tuple[SupplierContract, str]]
) -> list[SupplierContract]:
    """Merge shared contracts with those that only plans name. Each plan comes with its contract's reference."""
    shared = list(contracts)
    known = {one.reference for one in shared}
    named = [
        one for one, reference in plans if one.reference not in known and f"{one.authority}:{reference}" not in known
    ]
    return sorted([*shared, *named], key=lambda one: (one.end or date.max, one.authority, one.reference))


def search(contracts: Iterable[SupplierContract], name: str = "", product: str = "") -> list[SupplierContract]:
    """Find contracts whose supplier's name has all words of `name`, and whose product has all words of `product`."""
    return [one for one in contracts if _has_words(one.supplier, name) and _has_words(one.product, product)]


def group_by_supplier(contracts: Iterable[SupplierContract], today: date) -> list[SupplierGroup]:
    """Groups suppliers with contracts of three or more councils that end within a year, most councils first."""
    by_key: dict[str, list[SupplierContract]] = defaultdict(list)
    names: dict[str, str] = {}
    for one in contracts:
        if one.end is None or not 0 <= (one.end - today).days <= GROUP_DAYS:
            continue
        for name in supplier_names(one.supplier):
            by_key[supplier_key(name)].append(one)
            names.setdefault(supplier_key(name), name)
    groups = [
        SupplierGroup(names[key], tuple(sorted(found, key=lambda one: (one.end or date.max, one.reference))))
        for key, found in by_key.items()
    ]
    large = [group for group in groups if group.authorities >= MIN_GROUP_AUTHORITIES]
    return sorted(large, key=lambda group: (-group.authorities, supplier_key(group.supplier)))


def say_group(group: SupplierGroup, authority: str, today: date, muted: Collection[str] = ()) -> str | None:
    """A group as one of its councils is told of it; None where fewer than two of the others may be named."""
    own = next((one.end for one in group.contracts if one.authority == authority), None)
    others = {one.authority: one.end for one in reversed(group.contracts) if one.authority not in (authority, *muted)}
    if own is None or len(others) < MIN_GROUP_AUTHORITIES - 1:
        return None
    ends = sorted((end or date.max, name_on(code, today)) for code, end in others.items())
    named = [f"{name} ({format_month(end)})" for end, name in ends[:MAX_NAMED]]
    more = [f"{len(ends) - MAX_NAMED} more"] if len(ends) > MAX_NAMED else []
    return (
        f"{len(others) + 1} councils' contracts with {sanitise_line(group.supplier, 60)} end within a year: "
        f"yours on {format_date(own)}, those of {join_words([*named, *more])}."
    )


def count_ratings(contracts: Sequence[ContractPublished], name: str) -> Mapping[Rating, int] | None:
    """Count authorities' ratings of a supplier, one vote each; None if fewer than three authorities rate it.

    An authority's vote is the lowest rating of its newest period.
    """
    votes: dict[str, tuple[date, Rating]] = {}
    for contract in contracts:
        if not any(_has_words(one, name) for one in supplier_names(contract.supplier)):
            continue
        for rating in contract.performance:
            vote = (rating.period.latest, rating.rating)
            votes[contract.authority] = _newer(votes.get(contract.authority), vote)
    if len(votes) < MIN_RATING_AUTHORITIES:
        return None
    counts = Counter(rating for _, rating in votes.values())
    return {rating: counts[rating] for rating in reversed(_WORST_FIRST) if counts[rating]}


def _newer(known: tuple[date, Rating] | None, vote: tuple[date, Rating]) -> tuple[date, Rating]:
    if known is None or vote[0] > known[0]:
        return vote
    if vote[0] == known[0] and _WORST_FIRST.index(vote[1]) < _WORST_FIRST.index(known[1]):
        return vote
    return known


def _has_words(text: str, wanted: str) -> bool:
    return set(supplier_key(wanted).split()) <= set(supplier_key(text).replace(";", " ").split())
