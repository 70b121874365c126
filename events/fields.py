"""The field types that payloads share: identifiers, codes, money and text, each with its limits."""

import re
import unicodedata
from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

MAX_REVISION: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""

SHORT_TEXT_LENGTH: Final = 300

FOREIGN_PLAN_ERROR: Final = "not_its_own"
"""The error type of an event in which an authority speaks about another's plan."""

AUTHORITY_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9-]{1,119}$"
PLAN_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9-]{1,119}:[A-Za-z0-9._-]{1,80}$"

_CASELESS = re.compile(r"[a-z]\d{8}|gb-(?:ppon|gss|lae|coh|chc|sc|nic|ukprn|nhs|mpr)-.*", re.IGNORECASE)
"""Lists whose identifiers are in upper case: the Office for National Statistics, and public lists of organisations."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def require_own_id(name: str, identifier: str, authority: str) -> None:
    """Require that an identifier begins with its event's authority. `name` is the field, for the error."""
    if identifier.split(":", 1)[0] != authority:
        raise PydanticCustomError(FOREIGN_PLAN_ERROR, f"{name} must start with the event's authority and a colon")


def _plain_text(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("holds control characters; send plain text")
    composed = unicodedata.normalize("NFC", text)
    # A few letters become two. A text at its limit would then be too long to be read again.
    return composed if len(composed) <= len(text) else text


def _some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; say what is to be bought")
    return text


def _cpv(code: str) -> str:
    return code[:8]


def canonical_authority(code: str) -> str:
    """Return a code in the spelling of its list: `e09000015` is `E09000015`, `gb-ppon-pdtl-7248-gwzw` is
    `GB-PPON-PDTL-7248-GWZW`.

    Of other lists only the list's name becomes upper case: their identifiers may be case-sensitive.
    """
    if _CASELESS.fullmatch(code):
        return code.upper()
    country, hyphen, rest = code.partition("-")
    named, separator, identifier = rest.partition("-")
    return f"{country}{hyphen}{named}".upper() + separator + identifier if separator else code


def canonical_plan_id(plan_id: str) -> str:
    """Return a plan id with its authority in the spelling of its list; the authority's own reference stays."""
    authority, colon, reference = plan_id.partition(":")
    return f"{canonical_authority(authority)}{colon}{reference}"


Authority = Annotated[
    str,
    Field(
        pattern=AUTHORITY_PATTERN,
        description="ONS GSS code of a council (E09000015) or another org-id (GB-PPON-...)",
        examples=["E09000015"],
    ),
    AfterValidator(canonical_authority),
]
PlanId = Annotated[
    str,
    Field(
        pattern=PLAN_ID_PATTERN,
        description="The authority, a colon, and the authority's own reference",
        examples=["E09000015:ICT-0042"],
    ),
    AfterValidator(canonical_plan_id),
]
Revision = Annotated[int, Field(strict=True, ge=1, le=MAX_REVISION, description="Rises with every change of the plan")]
Title = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_plain_text), AfterValidator(_some_text)]
Text = Annotated[str, Field(max_length=20_000), AfterValidator(_plain_text)]
ShortText = Annotated[str, Field(max_length=SHORT_TEXT_LENGTH), AfterValidator(_plain_text)]
Name = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_plain_text)]
Cpv = Annotated[
    str,
    Field(pattern=r"^\d{8}(-\d)?$", description="CPV 2008 code; the check digit is optional and dropped"),
    AfterValidator(_cpv),
]
Region = Annotated[
    str,
    Field(
        pattern=r"^(UK|(TL|UK)[A-Z][A-Z0-9]{0,2})$",
        description="ITL 2025 code of any level (TLI, TLI3, TLI33), UK for all of it; UK... is read as TL...",
    ),
]


NoticeUrl = Annotated[str, Field(pattern=r"^https://\S{1,290}$")]


class Origin(StrEnum):
    """Who says that a plan exists."""

    AUTHORITY = "authority"
    """The authority that buys sent it."""
    NOTICE = "notice"
    """A public notice of that authority says so."""
    DERIVED = "derived"
    """It follows from a public notice, such as the renewal of a contract that was awarded; nobody has confirmed it."""


Kind = Literal["new", "renewal", "extension", "project"]
Stage = Literal["planned", "engagement", "tendering"]
Preference = Literal["lead", "join", "none"]
Sharing = Literal["open", "match_only", "private"]


class Payload(BaseModel):
    """What every payload is: frozen, finite numbers only, unknown fields ignored (v1 only grows)."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True)


class Window(Payload):
    """A span of days, both ends included."""

    earliest: date
    latest: date

    @model_validator(mode="after")
    def _in_order(self) -> "Window":
        if self.earliest > self.latest:
            raise ValueError(f"earliest ({self.earliest}) is after latest ({self.latest})")
        return self


class Value(Payload):
    """The estimated value of the whole contract, extensions included, without VAT."""

    amount: float = Field(ge=0, le=1e12)
    currency: str = Field(default="GBP", pattern=r"^[A-Z]{3}$", description="ISO 4217")
