"""Opportunity events: two plans of two authorities that could be bought together, and why."""

from datetime import date
from typing import ClassVar, Final, Literal

from pydantic import Field, JsonValue

from events.fields import Authority, NoticeUrl, Origin, Payload, PlanId, Region, Revision, Sharing, Window

Band = Literal["notify", "digest", "feed"]


class PlanSummary(Payload):
    """One of the two plans. `title`, `plan_id` and `revision` are null where either authority shares only that there is
    a match."""

    plan_id: PlanId | None
    revision: Revision | None
    authority: Authority
    authority_name: str
    title: str | None
    sharing: Sharing
    tender_window: Window
    regions: tuple[Region, ...]
    origin: Origin = Field(
        default=Origin.AUTHORITY,
        exclude_if=lambda origin: origin == Origin.AUTHORITY,
        description="Who says that the plan exists",
    )
    notice: NoticeUrl | None = Field(
        default=None,
        exclude_if=lambda notice: notice is None,
        description="Where the public notice can be read, if the plan is from one and shared",
    )


class Component(Payload):
    """One term of the score: 0 to 1, and what it saw."""

    value: float = Field(ge=0, le=1)
    saw: dict[str, JsonValue] = Field(default_factory=dict)


class Components(Payload):
    """The terms that the score is combined from."""

    specification: Component
    timing: Component
    region: Component
    value: Component


class Generation(Payload):
    """Which version of policy, corpus statistics and model decided."""

    policy: str
    statistics: str
    model: str


class NearestMove(Payload):
    """The shortest move that would make two windows meet, in months rounded up: `authority` waits.

    `tender_window` is its window then, and `common_window` what both would share.
    """

    authority: Authority
    months: int = Field(ge=1, le=6)
    tender_window: Window
    common_window: Window


class OpportunityState(Payload):
    """The whole opportunity as it stands at this revision; consumers ignore a revision lower than they know.

    `material_revision` rises only where the change is worth telling (new, band moved, common window moved by
    more than a month, withdrawn). Where either plan is `match_only`, `score`, `components`, `decide_by` and `lead_days`
    are null and the reasons say no more than window, region and band. Of two plans whose windows do not meet, but
    nearly do, `common_window`, `decide_by` and `lead_days` are null and `nearest_move` says what would make them meet.
    """

    opportunity_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    revision: Revision
    material_revision: Revision
    status: Literal["active", "withdrawn"]
    band: Band
    score: float | None = Field(default=None, ge=0, le=100)
    plans: tuple[PlanSummary, PlanSummary]
    components: Components | None = None
    reasons: tuple[str, ...]
    would_change: tuple[str, ...] = ()
    common_window: Window | None = None
    decide_by: date | None = Field(
        default=None, description="The working day by which both decide, to tender together from the first common day"
    )
    join_by: date | None = Field(
        default=None, description="The same day as `decide_by`, under its name in 0.2; goes with the next version"
    )
    lead_days: int | None = Field(
        default=None, ge=0, description="Days that preparation and governance take before a joint tender"
    )
    nearest_move: NearestMove | None = Field(
        default=None,
        exclude_if=lambda move: move is None,
        description="What would make the windows meet, if they do not",
    )
    assessed_as_of: date
    generation: Generation


class OpportunityIdentified(OpportunityState):
    """Two plans belong together (again, where it had been withdrawn before)."""

    type: ClassVar[str] = "jointly.opportunity.identified.v1"


class OpportunityUpdated(OpportunityState):
    """What is known of the opportunity changed."""

    type: ClassVar[str] = "jointly.opportunity.updated.v1"


class OpportunityWithdrawn(OpportunityState):
    """The two plans no longer belong together; the reasons say why."""

    type: ClassVar[str] = "jointly.opportunity.withdrawn.v1"


OpportunityPayload = OpportunityIdentified | OpportunityUpdated | OpportunityWithdrawn

OPPORTUNITY_PAYLOADS: Final[tuple[type[OpportunityPayload], ...]] = (
    OpportunityIdentified,
    OpportunityUpdated,
    OpportunityWithdrawn,
)
