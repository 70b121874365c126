"""Opportunity events: two plans of two authorities that could be bought together, with the reasons."""

from datetime import date
from typing import ClassVar, Final, Literal

from pydantic import Field, JsonValue

from events.fields import Authority, NoticeUrl, Origin, Payload, PlanId, Region, Revision, Sharing, Window

Band = Literal["notify", "digest", "feed"]


class PlanSummary(Payload):
    """One of the two plans.

    `title`, `plan_id` and `revision` are null if either authority shares only that there is a match.
    """

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
        description="The source of the plan",
    )
    notice: NoticeUrl | None = Field(
        default=None,
        exclude_if=lambda notice: notice is None,
        description="The address of the public notice, if the plan comes from one and is shared",
    )


class Component(Payload):
    """One term of the score: its value, 0 to 1, and its evidence."""

    value: float = Field(ge=0, le=1)
    saw: dict[str, JsonValue] = Field(default_factory=dict)


class Components(Payload):
    """The terms of the score."""

    specification: Component
    timing: Component
    region: Component
    value: Component


class Generation(Payload):
    """The versions of policy, corpus statistics and model that the assessment used."""

    policy: str
    statistics: str
    model: str


class NearestMove(Payload):
    """The shortest move that would make two windows overlap: `authority` waits `months`, rounded up.

    `tender_window` is its window after the move, and `common_window` the overlap of both.
    """

    authority: Authority
    months: int = Field(ge=1, le=6)
    tender_window: Window
    common_window: Window


class OpportunityState(Payload):
    """The whole opportunity at this revision. Consumers ignore revisions lower than one that they have.

    `material_revision` rises only with a change worth an email: a new opportunity, another band, a common window moved
    by more than a month, a withdrawal. If either plan is `match_only`, `score`, `components`, `decide_by` and
    `lead_days` are null, and the reasons give no more than window, region and band. If the two windows only nearly
    overlap, `common_window`, `decide_by` and `lead_days` are null, and `nearest_move` is set.
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
        default=None, description="The last working day to decide to tender together from the first common day"
    )
    join_by: date | None = Field(
        default=None, description="The same day as `decide_by`, under its name in 0.2; removed in the next version"
    )
    lead_days: int | None = Field(
        default=None, ge=0, description="Days of preparation and governance before a joint tender"
    )
    nearest_move: NearestMove | None = Field(
        default=None,
        exclude_if=lambda move: move is None,
        description="The move that would make the windows overlap, if they only nearly do",
    )
    assessed_as_of: date
    generation: Generation


class OpportunityIdentified(OpportunityState):
    """Two plans match, for the first time or again after a withdrawal."""

    type: ClassVar[str] = "jointly.opportunity.identified.v1"


class OpportunityUpdated(OpportunityState):
    """The opportunity has changed."""

    type: ClassVar[str] = "jointly.opportunity.updated.v1"


class OpportunityWithdrawn(OpportunityState):
    """The two plans no longer match; `reasons` says why."""

    type: ClassVar[str] = "jointly.opportunity.withdrawn.v1"


OpportunityPayload = OpportunityIdentified | OpportunityUpdated | OpportunityWithdrawn

OPPORTUNITY_PAYLOADS: Final[tuple[type[OpportunityPayload], ...]] = (
    OpportunityIdentified,
    OpportunityUpdated,
    OpportunityWithdrawn,
)
