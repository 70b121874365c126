"""The lists of one authority as its systems read them: the items of the read interface and of CSV files."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from events.coalitions import CoalitionStatus, MemberState, ProposalKind
from events.fields import Sharing, Window
from events.opportunities import Band, NearestMove
from matching.plan import Status as PlanStatus
from services.domain.authority_deadlines import DeadlineKind, DeadlineStatus


class Item(BaseModel):
    """One item of a list."""

    model_config = ConfigDict(frozen=True)


class PlanItem(Item):
    """One of the authority's own plans at its newest revision."""

    plan_id: str
    revision: int
    status: PlanStatus
    title: str
    description: str
    kind: str
    stage: str
    cpv: tuple[str, ...]
    value: float | None = Field(description="Pounds, whole contract, without VAT")
    tender_window: Window
    contract_ends: date | None = Field(description="Last day of the contract that runs now")
    extension_months: int | None = Field(description="Months by which that contract may be extended")
    supplier: str | None = Field(description="Who supplies it now")
    regions: tuple[str, ...]
    sharing: Sharing
    origin: str
    notice: str | None
    updated_at: datetime


class PartnerPlan(Item):
    """The other authority's plan; no more than `authority`, window and regions where either side is not open."""

    authority: str
    authority_name: str
    plan_id: str | None
    title: str | None
    tender_window: Window
    regions: tuple[str, ...]
    notice: str | None = None
    waits: bool = Field(description="The authority has ceased to be, and nobody has taken over the plan yet")


class OpportunityItem(Item):
    """One of the authority's plans and a plan of another that could be bought together.

    Null fields are those that either authority does not share.
    """

    opportunity_id: str
    revision: int
    status: Literal["active", "withdrawn"]
    band: Band
    score: float | None = Field(description="0 to 100")
    plan_id: str = Field(description="The authority's own plan")
    partner: PartnerPlan
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]
    common_window: Window | None
    decide_by: date | None = Field(description="The working day by which both decide to go together")
    join_by: date | None = Field(description="The same day as `decide_by`, under its name in 0.2")
    nearest_move: NearestMove | None = Field(description="What would make the two windows meet, where they do not")
    updated_at: datetime


class MemberItem(Item):
    """One plan of a coalition; null or empty fields where either authority no longer shares its plan."""

    plan_id: str | None
    plan_revision: int | None
    authority: str
    authority_name: str
    title: str
    value: float | None
    tender_window: Window
    stage: str | None
    contract_ends: date | None
    supplier: str
    preference: str | None
    state: MemberState
    committed: bool
    interest: str | None


class InvitationItem(Item):
    """An invitation: the authority or party that sent it, and the last day to answer."""

    by: str | None = Field(description="The inviting authority's plan, where it is shared")
    convened_by: str | None = Field(default=None, description="The party that convened, where one did")
    invited_on: date
    reply_by: date
    scope: str
    route: str


class ProposalItem(Item):
    """What the engine found after people began to act."""

    kind: ProposalKind
    plan_id: str
    authority: str
    authority_name: str
    sentence: str


class CoalitionItem(Item):
    """One coalition that the authority is or was in."""

    coalition_id: str
    revision: int
    terms_revision: int = Field(description="The version that an answer has to name")
    status: CoalitionStatus
    members: tuple[MemberItem, ...]
    lead: str | None = Field(description="The leading plan, where it is shared")
    lead_authority: str | None
    common_window: Window
    together_from: date
    decide_by: date
    invitation: InvitationItem | None
    explanation: str
    proposals: tuple[ProposalItem, ...]
    ended_because: str | None
    updated_at: datetime


class DeadlineItem(Item):
    """One day that the authority has to keep. `uid` is the same in the calendar, and stays when the day moves."""

    uid: str
    sequence: int = Field(description="Rises whenever the day or its status may have changed")
    kind: DeadlineKind
    status: DeadlineStatus
    day: date
    title: str = Field(description="Of the authority's own plan")
    plan_id: str
    coalition_id: str | None
    partners: tuple[str, ...] = Field(description="Names of the other authorities")
    updated_at: datetime
