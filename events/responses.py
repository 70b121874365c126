"""Response events: what an authority answers, asks and does about an opportunity, a coalition or a benchmark. Signed
like plans."""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from events.benchmarks import ExtensionDecision
from events.fields import FOREIGN_PLAN_ERROR, Authority, Payload, PlanId, Revision, Text, Window

SubjectKind = Literal["opportunity", "coalition", "benchmark", "plan", "party"]
Answer = Literal["interested", "other-dates", "not-the-same", "not-this-time", "later"]
MembershipAct = Literal["accept", "decline", "join", "leave", "commit", "lead"]
ResponseReason = Literal[
    "different-product",
    "only-part-overlaps",
    "wrong-place",
    "same-body",
    "call-off",
    "description-wrong",
    "awarded",
    "extending",
    "framework",
    "local-decision",
    "capacity",
    "reorganisation",
]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]
OptionalLine = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
ShortText = Field(default="", max_length=2000)
DOCUMENT_URL: Final = re.compile(r"^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?([/?#][!#-;=?-~]*)?$")
"""An address on the web in ASCII, without a user's name in front of the host: what it shows is where it leads."""
DocumentUrl = Annotated[str, Field(max_length=500, pattern=DOCUMENT_URL.pattern)]


class RouteStep(StrEnum):
    """A collaborative route, in the order in which they are looked at; the last is a contract of one's own."""

    FRAMEWORK = "framework"
    FRAMEWORK_COALITION = "framework-coalition"
    """Several authorities hold one further competition under a framework."""
    COALITION = "coalition"
    NEW = "new"


class RouteOutcome(StrEnum):
    """What came of looking at a route."""

    CHOSEN = "chosen"
    UNSUITABLE = "unsuitable"
    NONE_FOUND = "none-found"
    NOT_CHECKED = "not-checked"


class RouteReason(StrEnum):
    """Why a route was chosen, passed over or not looked at."""

    SCOPE = "scope"
    TERM = "term"
    ENTITLEMENT = "entitlement"
    PRICE = "price"
    FEE = "fee"
    AWARD_METHOD = "award-method"
    DATES = "dates"
    NO_PARTNER = "no-partner"
    LOCAL_DECISION = "local-decision"
    NOT_THIS_TIME = "not-this-time"


class DelegationScope(StrEnum):
    """What a party may do in an authority's name; each includes the ones before it."""

    ANSWER = "answer"
    """Answer suggestions and record routes: nothing of it binds."""
    TAKE_PART = "take-part"
    """Invite, accept, decline, join, leave and lead, too."""
    COMMIT = "commit"
    """Say that the authority's decision was taken, too."""


class DocumentKind(StrEnum):
    """What a document is."""

    SPECIFICATION = "specification"
    PRICES = "prices"
    AGREEMENT = "agreement"
    """A draft of the agreement between the members."""
    OTHER = "other"


class DocumentReaders(StrEnum):
    """Which members of a coalition are shown a document's address."""

    MEMBERS = "members"
    """Those that are in."""
    INVITED = "invited"
    """Those that are in, and those that are invited."""


class Response(Payload):
    """Who responds, and to what.

    `subject_revision`: the `revision` of the opportunity or benchmark, or the coalition's `terms_revision`, that was
    looked at.
    """

    response_id: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$", description="The same whenever the same is sent again")
    authority: Authority
    subject: SubjectKind
    subject_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    subject_revision: Revision

    @property
    def speaker(self) -> str:
        """Whose key signs this, and on whose topic it may come."""
        return self.authority


class PlanResponse(Response):
    """A response with one of the authority's own plans."""

    plan_id: PlanId = Field(description="The responding authority's own plan")
    acting_party: Authority | None = Field(
        default=None, description="The party that says this in the authority's name, by a delegation of the authority"
    )

    @model_validator(mode="after")
    def _own(self) -> "PlanResponse":
        if self.plan_id.split(":", 1)[0] != self.authority:
            raise PydanticCustomError(FOREIGN_PLAN_ERROR, "plan_id must start with the event's authority and a colon")
        return self

    @property
    def speaker(self) -> str:
        """The party, where one acts for the authority."""
        return self.acting_party or self.authority


class ResponseAnswered(PlanResponse):
    """The authority says what it thinks of a suggestion. It binds nobody; a reason is for the matcher alone."""

    type: ClassVar[str] = "jointly.response.answered.v1"
    answer: Answer
    reason: ResponseReason | None = None
    share_reason: bool = Field(default=False, description="Whether the others may learn the reason")
    window: Window | None = Field(default=None, description="With `other-dates`: when it would fit")
    remind_on: date | None = Field(default=None, description="With `later`: the day to ask again")


class ResponseInvited(PlanResponse):
    """The authority invites others to go to market together, and leads. An invitation on an opportunity makes a
    coalition of its two plans."""

    type: ClassVar[str] = "jointly.response.invited.v1"
    plan_ids: tuple[PlanId, ...] = Field(default=(), max_length=7, description="Whom; empty for all suggested members")
    reply_days: int = Field(default=20, ge=10, le=40, description="Working days to reply")
    scope: Text = ShortText
    route: Text = ShortText


class ResponseMembership(PlanResponse):
    """The authority accepts, declines, joins late, leaves, commits or takes the lead of a coalition."""

    type: ClassVar[str] = "jointly.response.membership.v1"
    act: MembershipAct
    decided_by: OptionalLine = Field(
        default="", description="With `commit`: the body or position whose decision it was, never a name"
    )


class ResponseDates(PlanResponse):
    """The lead gives the others more time to reply."""

    type: ClassVar[str] = "jointly.response.dates.v1"
    reply_by: date


class ResponseIntroduced(PlanResponse):
    """The authority wants, or does not want, to be introduced to the other authority of an opportunity of which one
    side shares only that there is a match. Both plans open to each other once both say yes."""

    type: ClassVar[str] = "jointly.response.introduced.v1"
    agrees: Literal["yes", "no", "later"]
    remind_on: date | None = Field(default=None, description="With `later`: the day to ask again")


class ResponseUndone(PlanResponse):
    """The authority takes back an answer of the last seven days."""

    type: ClassVar[str] = "jointly.response.undone.v1"
    undoes: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$", description="The `response_id` to take back")


class ResponseRoute(PlanResponse):
    """The authority records one route that it has looked at for its plan, and what came of it. Nothing depends on it.

    Its subject is the plan, or a coalition that the plan is in.
    """

    type: ClassVar[str] = "jointly.response.route.v1"
    step: RouteStep
    outcome: RouteOutcome
    asked_at: date = Field(description="The day on which the route was looked at")
    by: Line = Field(description="The position of whoever looked, never a name")
    candidates: tuple[Line, ...] = Field(default=(), max_length=20, description="What was looked at")
    reason: RouteReason | None = None
    note: Text = ShortText


class ResponseDocument(PlanResponse):
    """The authority shows members of its coalition where a document is. Nobody but the document's own host keeps it."""

    type: ClassVar[str] = "jointly.response.document.v1"
    document: DocumentKind
    title: Line
    url: DocumentUrl
    readers: DocumentReaders = DocumentReaders.MEMBERS


class ResponseDecided(PlanResponse):
    """The authority decides whether it extends, after it has looked at the benchmark."""

    type: ClassVar[str] = "jointly.response.decided.v1"
    decision: ExtensionDecision


class ResponseConvened(Response):
    """A party invites members of its own, of a suggested coalition, to go to market together. It answers for nobody:
    each of them still says yes or no, and one of them leads."""

    type: ClassVar[str] = "jointly.response.convened.v1"
    plan_ids: tuple[PlanId, ...] = Field(min_length=2, max_length=8, description="Plans of its members")
    reply_days: int = Field(default=20, ge=10, le=40, description="Working days to reply")
    scope: Text = ShortText


class ResponseDelegated(Response):
    """The authority lets a party act in its name, changes that, or ends it.

    `subject_id`: the first 32 hexadecimal digits of the SHA-256 of the party's code. `subject_revision` rises with
    every change of this delegation; an end counts whatever its number.
    """

    type: ClassVar[str] = "jointly.response.delegated.v1"
    party: Authority
    scope: DelegationScope | None = Field(description="Null ends the delegation")
    starts_on: date
    until: date = Field(description="The last day on which the party may act")

    @model_validator(mode="after")
    def _dated(self) -> "ResponseDelegated":
        if self.until < self.starts_on:
            raise ValueError("until must not lie before starts_on")
        return self


PlanResponsePayload = (
    ResponseAnswered
    | ResponseInvited
    | ResponseMembership
    | ResponseDates
    | ResponseIntroduced
    | ResponseUndone
    | ResponseDecided
    | ResponseRoute
    | ResponseDocument
)
ResponsePayload = PlanResponsePayload | ResponseConvened | ResponseDelegated

RESPONSE_PAYLOADS: Final[tuple[type[ResponsePayload], ...]] = (
    ResponseAnswered,
    ResponseInvited,
    ResponseMembership,
    ResponseDates,
    ResponseIntroduced,
    ResponseUndone,
    ResponseDecided,
    ResponseRoute,
    ResponseDocument,
    ResponseConvened,
    ResponseDelegated,
)
