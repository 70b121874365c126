"""The four plan events that council systems publish: an authority's intended purchase, and its dates."""

from datetime import date
from typing import Annotated, ClassVar, Final

from pydantic import FailFast, Field, model_validator

from events.fields import (
    Authority,
    Cpv,
    Kind,
    NoticeUrl,
    Origin,
    Payload,
    PlanId,
    Preference,
    Region,
    Revision,
    Sharing,
    ShortText,
    Stage,
    Text,
    Title,
    Value,
    Window,
    require_own_id,
)


def _is_unknown(value: object) -> bool:
    return value is None


def _is_usual(value: object) -> bool:
    return value == Origin.AUTHORITY


class Contract(Payload):
    """The contract's known dates; an open-ended contract has no `end`."""

    start: date | None = None
    end: date | None = None
    extension_months: int = Field(
        default=0, ge=0, le=240, description="Months by which the current contract may still be extended"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "Contract":
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start ({self.start}) is after end ({self.end})")
        return self


class CurrentContract(Payload):
    """The known facts of the current contract that the plan will replace."""

    reference: ShortText = ""
    supplier: ShortText = Field(default="", description="Current supplier; several are separated by semicolons")
    product: ShortText = Field(default="", description="Name of the product or service supplied")
    end: date | None = Field(default=None, description="Its current last day, including an extension in force")
    extension_months: int = Field(default=0, ge=0, le=240, description="Months by which it may still be extended")
    annual_value: Value | None = Field(default=None, description="Annual payment, without VAT")


class Quantity(Payload):
    """The quantity to buy, in the authority's own unit."""

    unit: ShortText = Field(description="Unit of the quantity: users, payslips a month, vehicles")
    amount: float = Field(ge=0, le=1e12)


class ExtensionIntent(Payload):
    """The intended extension of a current contract."""

    months: int = Field(ge=1, le=240)
    option_stated: bool | None = Field(default=None, description="True if the contract already contains this option")


class PlanReference(Payload):
    """The plan, its revision, and its authority."""

    plan_id: PlanId
    revision: Revision
    authority: Authority

    @model_validator(mode="after")
    def _own(self) -> "PlanReference":
        require_own_id("plan_id", self.plan_id, self.authority)
        return self


class PlanState(PlanReference):
    """The whole plan at this revision. A later revision replaces it completely."""

    title: Title
    description: Text = ""
    kind: Kind
    stage: Stage = "planned"
    # FailFast: fifty thousand invalid codes are one problem, not fifty thousand.
    cpv: Annotated[tuple[Cpv, ...], FailFast()] = Field(default=(), max_length=50)
    value: Value | None = None
    tender_window: Annotated[Window, Field(description="Between which days the tender is to be published")]
    contract: Contract = Contract()
    # Omitted if unknown: events published before these fields existed keep their content and event id.
    current_contract: CurrentContract | None = Field(default=None, exclude_if=_is_unknown)
    procurement: ShortText | None = Field(
        default=None,
        exclude_if=_is_unknown,
        description="The contracting process (an ocid) that the plan belongs to; plans of one are one purchase",
    )
    preference: Preference | None = Field(
        default=None, exclude_if=_is_unknown, description="In a coalition: to lead it, to join it, or neither"
    )
    quantity: Quantity | None = Field(default=None, exclude_if=_is_unknown)
    extension: ExtensionIntent | None = Field(
        default=None, exclude_if=_is_unknown, description="For kind extension: what is meant to be extended"
    )
    lots: tuple[ShortText, ...] | None = Field(
        default=None, max_length=50, exclude_if=_is_unknown, description="The lots that the tender is to have, by title"
    )
    origin: Origin = Field(default=Origin.AUTHORITY, exclude_if=_is_usual, description="Who says that the plan exists")
    notice: NoticeUrl | None = Field(
        default=None, exclude_if=_is_unknown, description="Where the public notice can be read, if the plan is from one"
    )
    regions: Annotated[tuple[Region, ...], FailFast()] = Field(
        default=(), max_length=50, description="Where it is delivered; empty means the authority's own area"
    )
    sharing: Sharing = "open"


class PlanPublished(PlanState):
    """A plan is announced."""

    type: ClassVar[str] = "jointly.plan.published.v1"


class PlanUpdated(PlanState):
    """A plan changed; the payload is its whole new state."""

    type: ClassVar[str] = "jointly.plan.updated.v1"


class PlanWithdrawn(PlanReference):
    """The authority no longer intends to buy this."""

    type: ClassVar[str] = "jointly.plan.withdrawn.v1"
    reason: Text = ""


class PlanAwarded(PlanReference):
    """The contract has been awarded; the plan is over."""

    type: ClassVar[str] = "jointly.plan.awarded.v1"
    awarded_on: date | None = None


PlanPayload = PlanPublished | PlanUpdated | PlanWithdrawn | PlanAwarded

PLAN_PAYLOADS: Final[tuple[type[PlanPayload], ...]] = (
    PlanPublished,
    PlanUpdated,
    PlanWithdrawn,
    PlanAwarded,
)
