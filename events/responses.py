"""Response events: what an authority answers, asks and does about an opportunity, a coalition or a benchmark. Signed
like plans."""

from datetime import date
from typing import ClassVar, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from events.benchmarks import ExtensionDecision
from events.fields import FOREIGN_PLAN_ERROR, Authority, Payload, PlanId, Revision, Text, Window

SubjectKind = Literal["opportunity", "coalition", "benchmark"]
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
ShortText = Field(default="", max_length=2000)


class Response(Payload):
    """Who responds with which plan, and to what.

    `subject_revision`: the `revision` of the opportunity or benchmark, or the coalition's `terms_revision`, that was
    looked at.
    """

    response_id: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$", description="The same whenever the same is sent again")
    authority: Authority
    plan_id: PlanId = Field(description="The responding authority's own plan")
    subject: SubjectKind
    subject_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    subject_revision: Revision

    @model_validator(mode="after")
    def _own(self) -> "Response":
        if self.plan_id.split(":", 1)[0] != self.authority:
            raise PydanticCustomError(FOREIGN_PLAN_ERROR, "plan_id must start with the event's authority and a colon")
        return self


class ResponseAnswered(Response):
    """The authority says what it thinks of a suggestion. It binds nobody; a reason is for the matcher alone."""

    type: ClassVar[str] = "jointly.response.answered.v1"
    answer: Answer
    reason: ResponseReason | None = None
    share_reason: bool = Field(default=False, description="Whether the others may learn the reason")
    window: Window | None = Field(default=None, description="With `other-dates`: when it would fit")
    remind_on: date | None = Field(default=None, description="With `later`: the day to ask again")


class ResponseInvited(Response):
    """The authority invites others to go to market together, and leads. An invitation on an opportunity makes a
    coalition of its two plans."""

    type: ClassVar[str] = "jointly.response.invited.v1"
    plan_ids: tuple[PlanId, ...] = Field(default=(), max_length=7, description="Whom; empty for all suggested members")
    reply_days: int = Field(default=20, ge=10, le=40, description="Working days to reply")
    scope: Text = ShortText
    route: Text = ShortText


class ResponseMembership(Response):
    """The authority accepts, declines, joins late, leaves, commits or takes the lead of a coalition."""

    type: ClassVar[str] = "jointly.response.membership.v1"
    act: MembershipAct


class ResponseDates(Response):
    """The lead gives the others more time to reply."""

    type: ClassVar[str] = "jointly.response.dates.v1"
    reply_by: date


class ResponseIntroduced(Response):
    """The authority wants, or does not want, to be introduced to the other authority of an opportunity of which one
    side shares only that there is a match. Both plans open to each other once both say yes."""

    type: ClassVar[str] = "jointly.response.introduced.v1"
    agrees: Literal["yes", "no", "later"]
    remind_on: date | None = Field(default=None, description="With `later`: the day to ask again")


class ResponseUndone(Response):
    """The authority takes back an answer of the last seven days."""

    type: ClassVar[str] = "jointly.response.undone.v1"
    undoes: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$", description="The `response_id` to take back")


class ResponseDecided(Response):
    """The authority decides whether it extends, after it has looked at the benchmark."""

    type: ClassVar[str] = "jointly.response.decided.v1"
    decision: ExtensionDecision


ResponsePayload = (
    ResponseAnswered
    | ResponseInvited
    | ResponseMembership
    | ResponseDates
    | ResponseIntroduced
    | ResponseUndone
    | ResponseDecided
)

RESPONSE_PAYLOADS: Final[tuple[type[ResponsePayload], ...]] = (
    ResponseAnswered,
    ResponseInvited,
    ResponseMembership,
    ResponseDates,
    ResponseIntroduced,
    ResponseUndone,
    ResponseDecided,
)
