"""Parties other than authorities: programme offices, regional groups and purchasing bodies, with members. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from matching.frameworks import FrameworkLot


class PartyKind(StrEnum):
    """The kind of a party."""

    PROGRAMME_OFFICE = "programme-office"
    REGIONAL_GROUP = "regional-group"
    PURCHASING_BODY = "purchasing-body"


@dataclass(frozen=True, slots=True)
class Membership:
    """An authority's membership. `left_on`: the first day on which it is no longer a member."""

    authority: str
    joined_on: date
    left_on: date | None = None

    def includes(self, day: date) -> bool:
        """Whether the authority is a member on a day."""
        return self.joined_on <= day and (self.left_on is None or day < self.left_on)

    def overlaps(self, other: "Membership") -> bool:
        """Whether two memberships of one authority share a day."""
        return (self.left_on is None or other.joined_on < self.left_on) and (
            other.left_on is None or self.joined_on < other.left_on
        )


@dataclass(frozen=True, slots=True)
class Party:
    """One party: its code, its kind, its name, and all its memberships in order of authority and day."""

    party: str
    kind: PartyKind
    name: str
    memberships: tuple[Membership, ...] = ()

    def members_on(self, day: date) -> frozenset[str]:
        """The authorities that are members on a day."""
        return frozenset(one.authority for one in self.memberships if one.includes(day))


def with_members(entitled: tuple[str, ...], parties: Mapping[str, Party], day: date) -> tuple[str, ...]:
    """The codes that a framework entitles, plus the members on a day of every party among them.

    A party's own code stays. Without it, a party that has no members would leave an empty list, which means everybody.
    """
    members = {code for named in entitled if named in parties for code in parties[named].members_on(day)}
    return tuple(sorted({*entitled, *members}))


def entitle_members(lots: Sequence[FrameworkLot], parties: Mapping[str, Party], day: date) -> list[FrameworkLot]:
    """The lots, each entitling also the members on that day of the parties that it entitles."""
    return [replace(lot, entitled=with_members(lot.entitled, parties, day)) if lot.entitled else lot for lot in lots]


def by_code(parties: Sequence[Party]) -> dict[str, Party]:
    """Parties by their codes."""
    return {one.party: one for one in parties}
