"""Coalition events: two or more plans that may go to market together, and where that stands."""

from datetime import date
from typing import ClassVar, Final, Literal

from pydantic import Field

from events.fields import Authority, Payload, PlanId, Preference, Revision, Window

CoalitionId = str
Status = Literal["suggested", "inviting", "formed", "frozen", "awarded", "dissolved", "lapsed"]
MemberStatus = Literal["suggested", "invited", "accepted", "declined", "lapsed", "withdrawn", "left"]


class CoalitionMember(Payload):
    """One plan of the coalition. `interest`: what its authority said without binding itself; a no is in `state`."""

    plan_id: PlanId
    plan_revision: Revision
    authority: Authority
    authority_name: str
    title: str
    value: float | None = Field(default=None, description="Pounds, whole contract, without VAT")
    tender_window: Window
    stage: str
    contract_ends: date | None = Field(default=None, description="Last day of the contract that runs now")
    supplier: str = Field(default="", description="Who supplies it now")
    preference: Preference | None = None
    state: MemberStatus
    committed: bool = Field(description="Whether its authority has taken the decision; a late joiner is only named")
    interest: Literal["interested", "other-dates"] | None = None


class CoalitionInvitation(Payload):
    """What members were asked, by whom, and until when they can answer."""

    by: PlanId
    invited_on: date
    reply_by: date
    scope: str = ""
    route: str = Field(default="", description="What was checked before: frameworks, other coalitions")


class CoalitionProposal(Payload):
    """What the engine found after people began to act; it changes nothing by itself."""

    kind: Literal["fits-too", "still-in"]
    plan_id: PlanId
    authority: Authority
    authority_name: str
    sentence: str


class CoalitionState(Payload):
    """The whole coalition as it stands at this revision; consumers ignore a revision lower than they know.

    `terms_revision` rises with what members agree to: members, dates and lead. An answer names the one that it is to.
    """

    coalition_id: CoalitionId = Field(pattern=r"^[0-9a-f]{32}$")
    revision: Revision
    terms_revision: Revision
    status: Status
    members: tuple[CoalitionMember, ...] = Field(description="Former members included, in the order of their plans")
    lead: PlanId | None = Field(description="The plan whose authority leads; suggested until somebody has invited")
    common_window: Window
    together_from: date
    decide_by: date
    invitation: CoalitionInvitation | None = None
    explanation: str
    proposals: tuple[CoalitionProposal, ...] = ()
    ended_because: str | None = None


class CoalitionChanged(CoalitionState):
    """The coalition is new, or something about it changed."""

    type: ClassVar[str] = "jointly.coalition.changed.v1"


class CoalitionEnded(CoalitionState):
    """Nothing more becomes of the coalition: awarded, dissolved or lapsed."""

    type: ClassVar[str] = "jointly.coalition.ended.v1"


CoalitionPayload = CoalitionChanged | CoalitionEnded

COALITION_PAYLOADS: Final[tuple[type[CoalitionPayload], ...]] = (CoalitionChanged, CoalitionEnded)
