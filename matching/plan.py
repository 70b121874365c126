"""The plan as the engine sees it: one authority's intention to buy, frozen, already validated."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Kind(StrEnum):
    """What the authority intends to do."""

    NEW = "new"
    RENEWAL = "renewal"
    EXTENSION = "extension"
    PROJECT = "project"


class Stage(StrEnum):
    """How far the procurement is. From `tendering` (the UK4 notice) on nobody can join it."""

    PLANNED = "planned"
    ENGAGEMENT = "engagement"
    TENDERING = "tendering"


class Status(StrEnum):
    """Whether the plan still stands."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    AWARDED = "awarded"


class Sharing(StrEnum):
    """Who may learn what: `open` all, `match_only` that there is a match, `private` nothing."""

    OPEN = "open"
    MATCH_ONLY = "match_only"
    PRIVATE = "private"


class Origin(StrEnum):
    """Who says that the plan exists: its authority, a public notice, or nobody yet (`derived` from a notice)."""

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
        """The days that lie in both windows, or None where there are none."""
        earliest, latest = max(self.earliest, other.earliest), min(self.latest, other.latest)
        return Window(earliest, latest) if earliest <= latest else None


@dataclass(frozen=True, slots=True)
class Plan:
    """One revision of one plan.

    `authority` is an ONS GSS code (E09000015) or another org-id; `cpv` are 8-digit CPV 2008 codes without
    the check digit; `value` is in pounds sterling, None where unknown or in another currency; `regions` are
    ITL 2025 codes of any level ("UK" for the whole of it), empty where the plan names none; `procurement` is the
    contracting process that the plan belongs to, `notice` the address of the public notice, where they are known.
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
