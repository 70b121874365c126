"""Coalition events: two or more plans that may go to market together, and the coalition's status."""

from datetime import date
from enum import StrEnum
from typing import ClassVar, Final, Literal

from pydantic import Field

from events.fields import Authority, Payload, PlanId, Preference, Revision, Window

CoalitionId = str


class CoalitionStatus(StrEnum):
    """The stage of a coalition."""

    SUGGESTED = "suggested"
    INVITING = "inviting"
    FORMED = "formed"
    FROZEN = "frozen"
    AWARDED = "awarded"
    DISSOLVED = "dissolved"
    LAPSED = "lapsed"


class MemberState(StrEnum):
    """The state of one plan in a coalition."""

    SUGGESTED = "suggested"
    INVITED = "invited"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    LEFT = "left"


class ProposalKind(StrEnum):
    """A proposal of the engine to people who have begun to act: add a plan, or reconsider a member."""

    FITS_TOO = "fits-too"
    STILL_IN = "still-in"


class CoalitionMember(Payload):
    """One plan of the coalition. `interest` is its authority's non-binding answer; a refusal is in `state`."""

    plan_id: PlanId
    plan_revision: Revision
    authority: Authority
    authority_name: str
    title: str
    value: float | None = Field(default=None, description="Pounds, whole contract, without VAT")
    tender_window: Window
    stage: str
    contract_ends: date | None = Field(default=None, description="Last day of the current contract")
    supplier: str = Field(default="", description="Current supplier")
    preference: Preference | None = None
    state: MemberState
    committed: bool = Field(description="True once the authority has decided; a late joiner starts uncommitted")
    interest: Literal["interested", "other-dates"] | None = None


class CoalitionInvitation(Payload):
    """The invitation to the members: inviter, deadline, scope and earlier checks."""

    by: PlanId | None = Field(description="The plan whose authority invited; null where a party convened")
    convened_by: Authority | None = Field(default=None, description="The party that convened")
    invited_on: date
    reply_by: date
    scope: str = ""
    route: str = Field(default="", description="Checks made before the invitation: frameworks, other coalitions")


class CoalitionProposal(Payload):
    """A change that the engine proposes after members have acted. It has no effect by itself."""

    kind: ProposalKind
    plan_id: PlanId
    authority: Authority
    authority_name: str
    sentence: str


class CoalitionState(Payload):
    """The whole coalition at this revision; consumers ignore a revision lower than one they have seen.

    `terms_revision` rises with the terms that members agree to: members, dates and lead. An answer names the terms
    revision it refers to.
    """

    coalition_id: CoalitionId = Field(pattern=r"^[0-9a-f]{32}$")
    revision: Revision
    terms_revision: Revision
    status: CoalitionStatus
    members: tuple[CoalitionMember, ...] = Field(
        description="All members, including former ones, in the order of their plan ids"
    )
    lead: PlanId | None = Field(
        description="The plan whose authority leads; a suggestion until an authority has sent invitations"
    )
    common_window: Window
    together_from: date
    decide_by: date
    invitation: CoalitionInvitation | None = None
    explanation: str
    proposals: tuple[CoalitionProposal, ...] = ()
    ended_because: str | None = None


class CoalitionChanged(CoalitionState):
    """The coalition is new or has changed."""

    type: ClassVar[str] = "jointly.coalition.changed.v1"


class CoalitionEnded(CoalitionState):
    """The coalition has ended: awarded, dissolved or lapsed."""

    type: ClassVar[str] = "jointly.coalition.ended.v1"


CoalitionPayload = CoalitionChanged | CoalitionEnded

COALITION_PAYLOADS: Final[tuple[type[CoalitionPayload], ...]] = (CoalitionChanged, CoalitionEnded)
