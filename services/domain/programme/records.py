"""The records behind the measures: revisions of plans, signatories, answers, emails, pairs; each with its day."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from events.responses import EnquiryAnswer, RouteStep


class RevisionKind(StrEnum):
    """The effect of a revision in the plan log."""

    STATE = "state"
    WITHDRAWN = "withdrawn"
    AWARDED = "awarded"


class CharterStatus(StrEnum):
    """An authority's status under the Charter."""

    NOT_SIGNED = "not signed"
    SIGNED = "signed"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ProgrammeRevision:
    """One revision in the plan log. `own`: the authority sent it; otherwise it comes from a public notice.

    If a plan is withdrawn, awarded or erased, the fields from `shared` on are empty.
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
    """An authority in the register, with the Charter's dates. `mailbox`: whether it has a role mailbox."""

    authority: str
    name: str
    position: str = ""
    signed_on: date | None = None
    lapsed_on: date | None = None
    withdrawn_on: date | None = None
    mailbox: bool = False


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One response that counts. `kind` is the answer, the act or the type of response; routes have a `route_step`.

    `about`: the other plans that an answer was about: the pair's, or those of the coalition's members on that day.
    `asked`, `reply_by`: the plans that an invitation asked, and their last day to answer. `plan_id` is empty where
    a party convenes or an authority delegates. `acting_party`: the party that acted for the authority.
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
    about: tuple[str, ...] = ()
    acting_party: str | None = None
    route_step: RouteStep | None = None


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """One opportunity: its plans, its band, and the days on which it began and ended."""

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
    """An authority's decision on an extension after a benchmark."""

    request_id: str
    decision: str
    on: date


@dataclass(frozen=True, slots=True)
class RecordedEnquiry:
    """A benchmark request that was put to an authority, or, with an `answer`, what that authority answered."""

    request_id: str
    authority: str
    on: date
    answer: EnquiryAnswer | None = None


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
    """An authority's status on a day: its last event by then. On the same day a withdrawal takes precedence."""
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
