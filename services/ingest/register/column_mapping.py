"""Maps the columns of a contract register to fields, by a TOML file or by the headings that councils commonly use."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from rapidfuzz import fuzz

from events.fields import Authority, Kind, Sharing, Stage
from events.validation_sentences import describe_validation_error
from matching.reference import normalise_name
from services.ingest.dates import BEFORE_CONTRACT

LIKELY: Final = 60
"""The minimum likeness (0 to 100) at which a heading is suggested for a field without a column."""


class MappingError(Exception):
    """The mapping can't be used: a sentence with the remedy."""


def _names(value: object) -> object:
    return [value] if isinstance(value, str) else value


Headings = Annotated[tuple[str, ...], BeforeValidator(_names)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Part):
    """The headings of each field; the first one in the file counts. Case, spacing and punctuation are ignored."""

    reference: Headings = (
        "reference", "reference number", "reference no", "contract reference", "contract ref", "contract ref no",
        "contract reference number", "contract number", "contract no", "contract id", "contract identifier", "ref",
        "ref no", "unique reference", "unique id", "agreement reference", "agreement number", "agreement no",
        "project reference", "procurement reference",
    )  # fmt: skip
    title: Headings = (
        "title", "contract title", "title of agreement", "agreement title", "contract name", "title of contract",
        "contract", "project title", "project name", "name of contract", "agreement name", "project", "subject",
    )  # fmt: skip
    description: Headings = (
        "description", "contract description", "description of the goods and or services being provided",
        "description of goods and or services", "description of goods and services", "goods and services description",
        "brief description of the contract", "description of contract", "description of the contract", "summary",
        "scope", "details",
    )  # fmt: skip
    department: Headings = (
        "department", "local authority department responsible", "department responsible", "directorate", "service area",
        "service",
    )  # fmt: skip
    start: Headings = (
        "start", "start date", "contract start date", "contract start", "commencement date", "current start date",
        "contract current start date", "contract commencement date", "validity period start", "start date of contract",
    )  # fmt: skip
    end: Headings = (
        "end", "end date", "contract end date", "contract end", "expiry date", "contract expiry date",
        "current end date", "contract current end date", "current contract end date", "contract expiry", "expiry",
        "finish date", "contract finish date", "completion date", "validity period end", "end date of contract",
    )  # fmt: skip
    extension_end: Headings = (
        "extension end date", "latest end date", "maximum end date", "end date including extensions",
        "end date with extensions", "final end date", "potential end date", "extended end date", "extension end",
        "end date including extension", "max end date", "latest contract end date", "final expiry date",
        "extension expiry date",
    )  # fmt: skip
    extension_months: Headings = (
        "extension months", "extension months available", "extension available months", "extension", "extensions",
        "extension options", "extension option", "contract extensions", "contract extension", "option to extend",
        "options to extend", "extension period", "extension periods", "extension available",
    )  # fmt: skip
    term: Headings = (
        "term", "contract term", "duration", "contract duration", "contract length", "length of contract",
        "contract period",
    )  # fmt: skip
    next_start: Headings = tuple(
        f"{word} {thing}"
        for word in ("anticipated", "proposed", "planned", "expected", "estimated", "new")
        for thing in ("contract start", "contract start date", "start date", "contract commencement date")
    )
    value: Headings = (
        "value", "contract value", "total contract value", "total value", "estimated value", "lifetime value",
        "estimated contract value", "sum to be paid over the length of the contract", "contract value gbp",
        "original contract value", "spend total or annual", "spend", "award value", "contract award value",
        "awarded value", "total estimated value", "value of contract", "value of the contract",
        "contract value excluding vat",
    )  # fmt: skip
    annual_value: Headings = (
        "annual value", "annual contract value", "contract annual value", "estimated annual value", "value per annum",
        "annual spend",
    )  # fmt: skip
    supplier: Headings = (
        "supplier", "supplier name", "current supplier", "supplier s", "suppliers", "contractor", "contractor name",
        "provider", "provider name", "incumbent", "incumbent supplier", "incumbent provider", "name of supplier",
        "name of contractor", "awarded supplier", "vendor", "vendor name", "awarded to", "service provider",
    )  # fmt: skip
    product: Headings = (
        "product",
        "product name",
        "system",
        "system name",
        "application",
        "application name",
        "software",
    )
    cpv: Headings = ("cpv", "cpv code", "cpv codes", "common procurement vocabulary")
    regions: Headings = ("region", "regions", "itl region", "place of delivery")
    kind: Headings = ("kind",)
    stage: Headings = ("stage",)
    sharing: Headings = ("sharing",)
    tender_earliest: Headings = (
        "tender earliest", "earliest tender date",
        *(
            f"{word} {thing}"
            for word in ("anticipated", "proposed", "planned", "expected", "estimated")
            for thing in ("tender date", "procurement start", "procurement start date", "tender start date", "itt date",
                          "advert date", "tender publication date")
        ),
        "tender date", "tender start date", "procurement start date", "itt date",
    )  # fmt: skip
    tender_latest: Headings = ("tender latest", "latest tender date")
    authority: Headings = (
        "authority", "authority code", "organisation code", "organisation", "organisation name", "authority name",
        "entity", "public body", "contracting authority", "contracting body", "local authority", "council", "buyer",
    )  # fmt: skip
    revision: Headings = ("revision",)


class Defaults(_Part):
    """Defaults for a row. Without `kind`, a row of a contract is a renewal and a row of a pipeline is new."""

    authority: Authority | None = None
    kind: Kind | None = None
    stage: Stage = "planned"
    sharing: Sharing = "open"
    currency: str = Field(default="GBP", pattern=r"^[A-Z]{3}$")


class WindowRule(_Part):
    """The successor of a contract is tendered between this many months before the contract ends."""

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
    """Read the mapping from a TOML file; omitted parts keep the built-in mapping. Raises MappingError."""
    try:
        content: Mapping[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        return RegisterMapping.model_validate(content)
    except ValidationError as error:
        raise MappingError(f"{file.name}: {describe_validation_error(error)}") from None
    except OSError as error:
        raise MappingError(f"{file} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise MappingError(f"{file} can't be read as TOML: {error}") from None


def positions(columns: Columns, headings: Sequence[str]) -> dict[str, int]:
    """Return the column of each field among these headings; fields without a column are left out.

    Text in brackets is optional in a heading: "End Date (dd/mm/yyyy)" is an end date.
    """
    at: dict[str, int] = {}
    for position, heading in enumerate(headings):
        at.setdefault(normalise_name(heading), position)
    for position, heading in enumerate(headings):
        at.setdefault(_bare(heading), position)
    found = {}
    for thing in Columns.model_fields:
        names = (normalise_name(name) for name in getattr(columns, thing))
        if present := [at[name] for name in names if name in at]:
            found[thing] = present[0]
    return found


def suggestions(columns: Columns, headings: Sequence[str], missing: Sequence[str]) -> list[str]:
    """For each field without a column, return a line for the mapping file with the likeliest heading."""
    lines = []
    used = set(positions(columns, headings).values())
    free = [heading for position, heading in enumerate(headings) if position not in used and _bare(heading)]
    for thing in missing:
        names = [normalise_name(name) for name in getattr(columns, thing)]
        scored = [(_likeness(_bare(heading), names), heading) for heading in free]
        score, heading = max(scored, default=(0.0, ""), key=lambda pair: pair[0])
        if score >= LIKELY:
            # A TOML string is escaped as a JSON string is.
            lines.append(f"{thing} = {json.dumps(' '.join(heading.split())[:80], ensure_ascii=False)}")
    return lines


def _likeness(heading: str, names: Sequence[str]) -> float:
    return max(fuzz.token_set_ratio(heading, name) for name in names)


def _bare(heading: str) -> str:
    return normalise_name(re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", heading))
