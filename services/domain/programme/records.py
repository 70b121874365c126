"""What the measures are computed from: revisions of plans, signatories, answers, emails, pairs; each with its day."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from events.responses import RouteStep


class RevisionKind(StrEnum):
    """What a revision in the plan log does."""

    STATE = "state"
    WITHDRAWN = "withdrawn"
    AWARDED = "awarded"


class CharterStatus(StrEnum):
    """How an authority stands to the Charter."""

    NOT_SIGNED = "not signed"
    SIGNED = "signed"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class LoggedRevision:
    """One revision as the plan log has it. `own`: the authority sent it; else it was made from a public notice.

    Of a plan that is withdrawn, awarded or forgotten the fields from `shared` on are empty.
    """

    plan_id: str
    authority: str
    on: date
    kind: RevisionKind
    own: bool
    shared: bool = False
    tendering: bool = False
    earliest: date | None = None
    value: float | None = None
    procurement: str | None = None
    ict: bool = False


@dataclass(frozen=True, slots=True)
class Signatory:
    """An authority in the register, with the Charter's dates. `mailbox`: whether it has named one."""

    authority: str
    name: str
    position: str = ""
    signed_on: date | None = None
    lapsed_on: date | None = None
    withdrawn_on: date | None = None
    mailbox: bool = False


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One response that counts. `kind` is the answer, the act or the type of response; `route_step` that of a route.

    `asked`, `reply_by`: the plans that an invitation asked, and their last day to answer.
    """

    response_id: str
    authority: str
    plan_id: str
    subject: str
    subject_id: str
    kind: str
    on: date
    reason: str | None = None
    undone_on: date | None = None
    reply_by: date | None = None
    asked: tuple[str, ...] = ()
    route_step: RouteStep | None = None


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """One opportunity: its plans, its band, and the days between which it stood."""

    opportunity_id: str
    plans: tuple[str, str]
    band: str
    found_on: date
    ended_on: date | None = None


@dataclass(frozen=True, slots=True)
class SentEmail:
    """One email that was sent about a plan."""

    plan_id: str
    on: date


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """What an authority decided on an extension after a benchmark."""

    request_id: str
    decision: str
    on: date


@dataclass(frozen=True, slots=True)
class SharedContract:
    """A contract that its authority shares; `on`: the day its newest revision arrived."""

    contract_id: str
    on: date
    has_prices: bool = False
    is_withheld: bool = False
    is_rated: bool = False
    signatories_from: date | None = None
    public_from: date | None = None


def status_on(one: Signatory, day: date) -> CharterStatus:
    """How an authority stands on a day: whatever happened last by then. A withdrawal outweighs all of the same day."""
    happened = [
        (on, rank, status)
        for on, rank, status in (
            (one.signed_on, 0, CharterStatus.SIGNED),
            (one.lapsed_on, 1, CharterStatus.LAPSED),
            (one.withdrawn_on, 2, CharterStatus.WITHDRAWN),
        )
        if on is not None and on <= day
    ]
    return max(happened)[2] if happened else CharterStatus.NOT_SIGNED
