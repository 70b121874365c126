"""The plan in the engine's terms: one authority's intention to buy. Immutable, and already validated."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Kind(StrEnum):
    """The kind of purchase that the authority intends."""

    NEW = "new"
    RENEWAL = "renewal"
    EXTENSION = "extension"
    PROJECT = "project"


class Stage(StrEnum):
    """The stage of the procurement. From `tendering` (the UK4 notice) on, nobody can join it."""

    PLANNED = "planned"
    ENGAGEMENT = "engagement"
    TENDERING = "tendering"


class Status(StrEnum):
    """The status of the plan."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    AWARDED = "awarded"


class Sharing(StrEnum):
    """The facts that others may see: `open` all, `match_only` only that there is a match, `private` none."""

    OPEN = "open"
    MATCH_ONLY = "match_only"
    PRIVATE = "private"


class Origin(StrEnum):
    """The source of the plan: its authority, a public notice, or an inference from a notice (`derived`)."""

    AUTHORITY = "authority"
    NOTICE = "notice"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True)
class Window:
    """A span of days, both ends included; `earliest <= latest`."""

    earliest: date
    latest: date

    def __post_init__(self) -> None:
        if self.earliest > self.latest:
            raise ValueError(f"window ends ({self.latest}) before it starts ({self.earliest})")

    def common(self, other: "Window") -> "Window | None":
        """The days that lie in both windows; None if there are none."""
        earliest, latest = max(self.earliest, other.earliest), min(self.latest, other.latest)
        return Window(earliest, latest) if earliest <= latest else None


@dataclass(frozen=True, slots=True)
class Plan:
    """One revision of one plan.

    `authority` is an ONS GSS code (E09000015) or another org-id. `cpv` are 8-digit CPV 2008 codes without the check
    digit. `value` is in pounds sterling, None if unknown or in another currency. `regions` are ITL 2025 codes of any
    level ("UK" for the whole country), empty if the plan names none. `procurement` is the contracting process of the
    plan and `notice` the address of its public notice, if known.
    """

    plan_id: str
    revision: int
    authority: str
    title: str
    tender_window: Window
    description: str = ""
    kind: Kind = Kind.NEW
    stage: Stage = Stage.PLANNED
    status: Status = Status.ACTIVE
    cpv: tuple[str, ...] = ()
    value: float | None = None
    contract_start: date | None = None
    contract_end: date | None = None
    extension_months: int = 0
    regions: tuple[str, ...] = ()
    sharing: Sharing = Sharing.OPEN
    procurement: str | None = None
    origin: Origin = Origin.AUTHORITY
    notice: str | None = None
