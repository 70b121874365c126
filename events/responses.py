"""Response events: an authority's answers and acts on an opportunity, a coalition, a benchmark or its own plan.

They are signed like plan events.
"""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from events.benchmarks import ExtensionDecision
from events.contracts import ContractId, WithheldReason
from events.fields import Authority, Payload, PlanId, Revision, Text, Window, require_own_id

SubjectKind = Literal["opportunity", "coalition", "benchmark", "plan", "party"]
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


class AnswerKind(StrEnum):
    """An authority's answer to a suggestion. It binds nobody."""

    INTERESTED = "interested"
    OTHER_DATES = "other-dates"
    NOT_THE_SAME = "not-the-same"
    NOT_THIS_TIME = "not-this-time"
    LATER = "later"


class MembershipAct(StrEnum):
    """An act of an authority in a coalition."""

    ACCEPT = "accept"
    DECLINE = "decline"
    JOIN = "join"
    LEAVE = "leave"
    COMMIT = "commit"
    LEAD = "lead"


class IntroductionAnswer(StrEnum):
    """An authority's answer to an introduction."""

    YES = "yes"
    NO = "no"
    LATER = "later"


LINE_LENGTH: Final = 200
RESPONSE_TEXT_LENGTH: Final = 2000
Line = Annotated[str, Field(min_length=1, max_length=LINE_LENGTH, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]
OptionalLine = Annotated[str, Field(max_length=LINE_LENGTH, pattern=r"^[^\x00-\x1f\x7f]*$")]
ShortText = Field(default="", max_length=RESPONSE_TEXT_LENGTH)
DOCUMENT_URL: Final = re.compile(r"^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?([/?#][!#-;=?-~]*)?$")
"""A web address in ASCII, without a user name before the host, so that readers see the true host."""
DocumentUrl = Annotated[str, Field(max_length=500, pattern=DOCUMENT_URL.pattern)]


class RouteStep(StrEnum):
    """The routes to a contract, in the order in which councils check them; the last is a contract of its own."""

    FRAMEWORK = "framework"
    FRAMEWORK_COALITION = "framework-coalition"
    """Several authorities hold one further competition under a framework."""
    COALITION = "coalition"
    NEW = "new"


class RouteOutcome(StrEnum):
    """The outcome of checking a route."""

    CHOSEN = "chosen"
    UNSUITABLE = "unsuitable"
    NONE_FOUND = "none-found"
    NOT_CHECKED = "not-checked"


class RouteReason(StrEnum):
    """The reason why a route was chosen, rejected or not checked."""

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
    """The acts that a party may perform for an authority; each scope includes the ones before it."""

    ANSWER = "answer"
    """Answer suggestions and record routes. None of this binds the authority."""
    TAKE_PART = "take-part"
    """Also invite, accept, decline, join, leave and lead."""
    COMMIT = "commit"
    """Also report the authority's decision."""


class DocumentKind(StrEnum):
    """The kind of a document."""

    SPECIFICATION = "specification"
    PRICES = "prices"
    AGREEMENT = "agreement"
    """A draft of the agreement between the members."""
    OTHER = "other"


class DocumentReaders(StrEnum):
    """Who sees a document's address. Each value includes the one before."""

    MEMBERS = "members"
    """Authorities that have joined."""
    INVITED = "invited"
    """Authorities that have joined or are invited."""
    SIGNATORIES = "signatories"
    """Also every authority that has signed the Charter."""


class EnquiryAnswer(StrEnum):
    """An authority's answer to an enquiry about its prices."""

    SUPPLIED = "supplied"
    NONE_AVAILABLE = "none-available"
    WITHHELD = "withheld"


class Response(Payload):
    """The responding authority or party, and the subject of the response.

    `subject_revision`: the revision that it saw. For a coalition this is `terms_revision`, otherwise `revision`.
    """

    response_id: str = Field(
        pattern=r"^[A-Za-z0-9-]{8,64}$", description="Stays the same when the response is sent again"
    )
    authority: Authority
    subject: SubjectKind
    subject_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    subject_revision: Revision

    @property
    def speaker(self) -> str:
        """The authority or party whose key signs the response, or whose own topic carries it."""
        return self.authority


class PlanResponse(Response):
    """A response with one of the authority's own plans."""

    plan_id: PlanId = Field(description="The responding authority's own plan")
    acting_party: Authority | None = Field(
        default=None, description="The party that acts for the authority under its delegation"
    )

    @model_validator(mode="after")
    def _own(self) -> "PlanResponse":
        require_own_id("plan_id", self.plan_id, self.authority)
        return self

    @property
    def speaker(self) -> str:
        """The party that acts for the authority, if any."""
        return self.acting_party or self.authority


class ResponseAnswered(PlanResponse):
    """The authority answers a suggestion. An answer binds nobody. Others see its reason only with `share_reason`."""

    type: ClassVar[str] = "jointly.response.answered.v1"
    answer: AnswerKind
    reason: ResponseReason | None = None
    share_reason: bool = Field(default=False, description="Whether the others may learn the reason")
    window: Window | None = Field(default=None, description="With `other-dates`: the window that would suit")
    remind_on: date | None = Field(default=None, description="With `later`: the day to ask again")


class ResponseInvited(PlanResponse):
    """The authority invites others to go to market together, and leads.

    An invitation on an opportunity makes a coalition of its two plans.
    """

    type: ClassVar[str] = "jointly.response.invited.v1"
    plan_ids: tuple[PlanId, ...] = Field(
        default=(), max_length=7, description="The plans to invite; empty for all suggested members"
    )
    reply_days: int = Field(default=20, ge=10, le=40, description="Working days to reply")
    scope: Text = ShortText
    route: Text = ShortText


class ResponseMembership(PlanResponse):
    """The authority accepts, declines, joins late, leaves, commits or takes the lead of a coalition."""

    type: ClassVar[str] = "jointly.response.membership.v1"
    act: MembershipAct
    decided_by: OptionalLine = Field(
        default="", description="With `commit`: the body or position that decided, never a person's name"
    )


class ResponseDates(PlanResponse):
    """The lead gives the others more time to reply."""

    type: ClassVar[str] = "jointly.response.dates.v1"
    reply_by: date


class ResponseIntroduced(PlanResponse):
    """The authority accepts or declines an introduction to the other authority of an opportunity.

    One of the two shares only that there is a match. Once both accept, each sees the other's plan.
    """

    type: ClassVar[str] = "jointly.response.introduced.v1"
    agrees: IntroductionAnswer
    remind_on: date | None = Field(default=None, description="With `later`: the day to ask again")


class ResponseUndone(PlanResponse):
    """The authority takes back an answer of the last seven days."""

    type: ClassVar[str] = "jointly.response.undone.v1"
    undoes: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$", description="The `response_id` to take back")


class ResponseRoute(PlanResponse):
    """The authority records a route that it checked for its plan, and the outcome. No rule depends on it.

    The subject is the plan, or a coalition that the plan is in.
    """

    type: ClassVar[str] = "jointly.response.route.v1"
    step: RouteStep
    outcome: RouteOutcome
    asked_at: date = Field(description="The day on which the route was checked")
    by: Line = Field(description="The job title of the person who checked, never a name")
    candidates: tuple[Line, ...] = Field(
        default=(), max_length=20, description="The frameworks or contracts that were checked"
    )
    reason: RouteReason | None = None
    note: Text = ShortText


class ResponseDocument(PlanResponse):
    """The authority shares a document's address with members of its coalition. Jointly never stores the document."""

    type: ClassVar[str] = "jointly.response.document.v1"
    document: DocumentKind
    title: Line
    url: DocumentUrl
    readers: DocumentReaders = DocumentReaders.MEMBERS


class ResponseDecided(PlanResponse):
    """The authority decides whether to extend its contract, after it saw the benchmark."""

    type: ClassVar[str] = "jointly.response.decided.v1"
    decision: ExtensionDecision


class ResponseEnquiry(Response):
    """An authority answers an enquiry: whether it shares its prices with the authority that asks for a benchmark.

    `supplied` names a contract that it shares with signatories. The prices are in the contract's own event.
    """

    type: ClassVar[str] = "jointly.response.enquiry.v1"
    outcome: EnquiryAnswer
    contract_id: ContractId | None = Field(default=None, description="With `supplied`: the contract with the prices")
    reason: WithheldReason | None = Field(default=None, description="With `withheld`; never shown to others")

    @model_validator(mode="after")
    def _consistent(self) -> "ResponseEnquiry":
        if self.contract_id is not None and self.outcome is not EnquiryAnswer.SUPPLIED:
            raise ValueError("contract_id belongs to supplied, and to no other outcome")
        if self.contract_id is not None:
            require_own_id("contract_id", self.contract_id, self.authority)
        if self.reason is not None and self.outcome is not EnquiryAnswer.WITHHELD:
            raise ValueError("reason belongs to withheld, and to no other outcome")
        return self


class ResponseConvened(Response):
    """A party invites its members to go to market together: those in a suggested coalition, or both of an opportunity.

    It answers for none of them: each still says yes or no, and one of them leads.
    """

    type: ClassVar[str] = "jointly.response.convened.v1"
    plan_ids: tuple[PlanId, ...] = Field(min_length=2, max_length=8, description="Plans of its members")
    reply_days: int = Field(default=20, ge=10, le=40, description="Working days to reply")
    scope: Text = ShortText


class ResponseDelegated(Response):
    """The authority grants, changes or ends a delegation to a party, which may then act for it.

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
ResponsePayload = PlanResponsePayload | ResponseEnquiry | ResponseConvened | ResponseDelegated

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
    ResponseEnquiry,
    ResponseConvened,
    ResponseDelegated,
)
