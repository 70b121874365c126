"""Contract events: the facts of a running contract that an authority shares, by tier and day. Signed like plans."""

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from events.fields import (
    Authority,
    Cpv,
    Name,
    NoticeUrl,
    Payload,
    PlanId,
    Revision,
    ShortText,
    Title,
    Value,
    Window,
    require_own_id,
)

Rating = Literal["good", "approaching-target", "requires-improvement", "inadequate", "other"]
"""The five words of a contract performance notice (UK9)."""


class WithheldReason(StrEnum):
    """Why an authority does not share a contract's prices."""

    SENSITIVE = "s94"
    CONFIDENTIAL_TERM = "confidential-term"
    NOT_COMPARABLE = "not-comparable"


ContractId = Annotated[
    PlanId, Field(description="The authority, a colon, and the contract's own reference", examples=["E08000035:C-118"])
]
Unit = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        max_length=40,
        description="What one unit price pays for, in words with hyphens: what is counted, then for how long",
        examples=["user-year"],
    ),
]


class ContractPrice(Payload):
    """The price of one unit of one item, in pounds without VAT."""

    item: Name
    unit: Unit
    quantity: float = Field(gt=0, le=1e12, description="Number of units that the contract pays for")
    unit_price: float = Field(ge=0, le=1e12, description="In pounds, without VAT, as agreed")


class ContractRating(Payload):
    """The supplier's performance on one indicator in one period."""

    period: Window
    indicator: Name
    rating: Rating


class ContractSharing(Payload):
    """The first day on which each tier may see the contract. A tier without a day opens with the next wider one."""

    coalition: date | None = Field(default=None, description="Members of a coalition with the authority")
    signatories: date | None = Field(
        default=None, description="All authorities of the register, whether or not they have signed the Charter"
    )
    public: date | None = Field(default=None, description="Everybody")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        days = [day for day in (self.coalition, self.signatories, self.public) if day]
        if days != sorted(days):
            raise ValueError("a wider tier can't open before a narrower one: coalition, then signatories, then public")
        return self


class ContractReference(Payload):
    """The contract, the revision of its shared facts, and its authority."""

    contract_id: ContractId
    revision: Revision
    authority: Authority

    @model_validator(mode="after")
    def _own(self) -> Self:
        require_own_id("contract_id", self.contract_id, self.authority)
        return self


class ContractPublished(ContractReference):
    """All shared facts of a contract. A later revision replaces them completely."""

    type: ClassVar[str] = "jointly.contract.published.v1"

    title: Title
    supplier: Name = Field(description="The supplier; several are separated by semicolons")
    product: ShortText = Field(default="", description="Name of the product or service supplied")
    cpv: tuple[Cpv, ...] = Field(default=(), max_length=50, description="The first one is the benchmark's category")
    start: date | None = None
    first_end: date | None = Field(default=None, description="The last day before any extension")
    end: date | None = Field(default=None, description="The current last day, including an extension in force")
    extension_months: int = Field(default=0, ge=0, le=240, description="Months by which it may still be extended")
    annual_value: Value | None = Field(default=None, description="Annual payment, without VAT")
    prices: tuple[ContractPrice, ...] = Field(default=(), max_length=100)
    withheld: WithheldReason | None = Field(default=None, description="The reason why there are no prices")
    performance: tuple[ContractRating, ...] = Field(default=(), max_length=100)
    specification: NoticeUrl | None = Field(default=None, description="Address of the specification")
    notice: NoticeUrl | None = Field(default=None, description="Address of the public notice")
    sharing: ContractSharing = ContractSharing()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        days = [day for day in (self.start, self.first_end, self.end) if day]
        if days != sorted(days):
            raise ValueError("start, first_end and end must follow each other")
        if self.prices and self.withheld:
            raise ValueError("prices are shared or withheld, not both")
        return self


class ContractWithdrawn(ContractReference):
    """The authority no longer shares the contract; the facts it shared are deleted."""

    type: ClassVar[str] = "jointly.contract.withdrawn.v1"


ContractPayload = ContractPublished | ContractWithdrawn

CONTRACT_PAYLOADS: Final[tuple[type[ContractPayload], ...]] = (ContractPublished, ContractWithdrawn)
