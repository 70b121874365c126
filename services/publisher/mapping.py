"""Which column of a contract register is what: a TOML file, or the headings councils commonly use."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from events.envelope import problems
from events.fields import Authority, Kind, Sharing, Stage
from matching.reference import normalise_name
from services.publisher.dates import BEFORE_CONTRACT


class MappingError(Exception):
    """The mapping can't be used: a sentence that says what to do."""


def _names(value: object) -> object:
    return [value] if isinstance(value, str) else value


Headings = Annotated[tuple[str, ...], BeforeValidator(_names)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Part):
    """The headings under which each thing may stand; the first one the file has is used. Compared without regard to
    case, spacing and punctuation."""

    reference: Headings = (
        "reference", "reference number", "contract reference", "contract ref", "contract reference number",
        "contract number", "contract id", "ref", "ref no", "unique reference", "agreement reference",
    )  # fmt: skip
    title: Headings = (
        "title", "contract title", "title of agreement", "agreement title", "contract name", "title of contract",
        "contract",
    )  # fmt: skip
    description: Headings = (
        "description", "contract description", "description of the goods and or services being provided",
        "description of goods and or services", "description of goods and services", "goods and services description",
        "summary",
    )  # fmt: skip
    department: Headings = (
        "department", "local authority department responsible", "department responsible", "directorate", "service area",
        "service",
    )  # fmt: skip
    start: Headings = ("start", "start date", "contract start date", "contract start", "commencement date")
    end: Headings = (
        "end", "end date", "contract end date", "contract end", "expiry date", "contract expiry date",
        "current end date",
    )  # fmt: skip
    extension_end: Headings = (
        "extension end date", "latest end date", "maximum end date", "end date including extensions",
        "end date with extensions", "final end date", "potential end date",
    )  # fmt: skip
    extension_months: Headings = ("extension months", "extension months available", "extension available months")
    value: Headings = (
        "value", "contract value", "total contract value", "total value", "estimated value", "lifetime value",
        "estimated contract value", "sum to be paid over the length of the contract", "contract value gbp",
    )  # fmt: skip
    cpv: Headings = ("cpv", "cpv code", "cpv codes")
    regions: Headings = ("region", "regions", "itl region", "place of delivery")
    kind: Headings = ("kind",)
    stage: Headings = ("stage",)
    sharing: Headings = ("sharing",)
    tender_earliest: Headings = ("tender earliest", "earliest tender date")
    tender_latest: Headings = ("tender latest", "latest tender date")
    authority: Headings = ("authority", "authority code", "organisation code")
    revision: Headings = ("revision",)


class Defaults(_Part):
    """What holds for a row that doesn't say otherwise. A register lists contracts: its plans are renewals."""

    authority: Authority | None = None
    kind: Kind = "renewal"
    stage: Stage = "planned"
    sharing: Sharing = "open"
    currency: str = Field(default="GBP", pattern=r"^[A-Z]{3}$")


class WindowRule(_Part):
    """Between how many months before a contract ends its successor is tendered."""

    earliest_months_before_end: int = Field(default=BEFORE_CONTRACT[0], ge=1, le=60)
    latest_months_before_end: int = Field(default=BEFORE_CONTRACT[1], ge=0, le=60)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.latest_months_before_end > self.earliest_months_before_end:
            raise ValueError("latest_months_before_end must not be more than earliest_months_before_end")
        return self


class RegisterMapping(_Part):
    """One register's mapping: `[columns]`, `[defaults]`, `[window]`."""

    columns: Columns = Columns()
    defaults: Defaults = Defaults()
    window: WindowRule = WindowRule()


BUILT_IN: Final = RegisterMapping()


def load_mapping(file: Path) -> RegisterMapping:
    """The mapping in a TOML file; what it leaves out is as in the built-in one. Raises MappingError."""
    try:
        content: Mapping[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        return RegisterMapping.model_validate(content)
    except ValidationError as error:
        raise MappingError(f"{file.name}: {problems(error)}") from None
    except (OSError, ValueError) as error:
        raise MappingError(f"{file.name} can't be read as TOML: {error}") from None


def positions(columns: Columns, headings: Sequence[str]) -> dict[str, int]:
    """Which thing stands in which column of these headings; what the file doesn't have is left out."""
    at: dict[str, int] = {}
    for position, heading in enumerate(headings):
        at.setdefault(normalise_name(heading), position)
    found = {}
    for thing in Columns.model_fields:
        names = (normalise_name(name) for name in getattr(columns, thing))
        if present := [at[name] for name in names if name in at]:
            found[thing] = present[0]
    return found
