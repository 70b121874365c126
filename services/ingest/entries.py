"""The result types of every reader: a plan event, or the reason and place of a refusal."""

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Final, Literal, cast

from pydantic import ValidationError

from events.fields import AUTHORITY_PATTERN, canonical_authority
from events.limits import find_excess
from events.plans import PlanPayload
from events.redaction import MAX_TEXT, without_contacts
from events.validation_sentences import describe_validation_error

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""The largest file that is read into memory (OCDS, CSV). JSONL is read line by line, without a limit."""

GZIP_MAGIC: Final = b"\x1f\x8b"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class AcceptedEntry:
    """One plan event. `where` is its line or JSON path, `notes` are sentences on inferred facts. `numbered` is true if
    the source gave the revision; otherwise the state file does."""

    file: str
    where: str
    payload: PlanPayload
    notes: tuple[str, ...] = ()
    numbered: bool = True


@dataclass(frozen=True, slots=True)
class RejectedEntry:
    """One entry that can't be published: its place, the field at fault ("" for the whole entry), the reason and the
    remedy.

    `plan_id` is set if the entry could be identified.
    """

    file: str
    where: str
    field: str
    reason: str
    plan_id: str | None = None


@dataclass(frozen=True, slots=True)
class UnchangedEntry:
    """An entry identical to the one published before."""

    file: str
    where: str
    plan_id: str


@dataclass(frozen=True, slots=True)
class SkippedEntry:
    """An entry that is no plan and needs no attention; `reason` names its kind: a row of totals, an expired
    contract."""

    file: str
    where: str
    reason: str
    plan_id: str | None = None


Entry = AcceptedEntry | RejectedEntry | UnchangedEntry | SkippedEntry
UnknownBuyers = Literal["refuse", "org-id"]


@dataclass(frozen=True, slots=True)
class Options:
    """Options for reading plans. `authority`: read only its plans, and take an unknown buyer to be it.
    `unknown_buyers`: refuse them, or publish under the identifier in the notice. `as_of`: the day for which contracts
    count as expired or extended; without it none does."""

    authority: str | None = None
    unknown_buyers: UnknownBuyers = "refuse"
    as_of: date | None = None


class RefusedError(Exception):
    """A reader raises it for one entry: the field at fault, and a sentence."""

    def __init__(self, field: str, reason: str, plan_id: str | None = None) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.plan_id = plan_id


def build_payload(model: type[PlanPayload], fields: Mapping[str, Any]) -> PlanPayload:
    """Build the payload from `fields`. Raises RefusedError with the first field at fault and all errors."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise to_rejection(error, str(fields.get("plan_id"))) from None


def to_rejection(error: ValidationError, plan_id: str | None = None) -> RefusedError:
    """Describe a validation error as a refusal that never repeats the input."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return RefusedError(field, describe_validation_error(error).removeprefix(f"{field}: "), plan_id)


def require_owner(payload: PlanPayload, options: Options) -> PlanPayload:
    """Return the payload if it belongs to the publishing authority. Raises RefusedError for another authority's."""
    if options.authority and payload.authority != canonical_authority(options.authority):
        raise RefusedError(
            "authority",
            f"is {payload.authority}, but --authority says {options.authority}; publish it as its owner",
            payload.plan_id,
        )
    return payload


def check_limits(read: Entry, at: datetime) -> Entry:
    """Return the entry, or a rejection if it exceeds a limit of the matcher."""
    if not isinstance(read, AcceptedEntry) or (excess := find_excess(read.payload, at)) is None:
        return read
    return RejectedEntry(read.file, read.where, excess.field, excess.sentence, read.payload.plan_id)


def plan_id(authority: str, reference: str) -> str:
    """Build `<authority>:<reference>`. A reference may have 80 letters, digits, dots, underscores and hyphens. Any
    other reference is shortened and cleaned, and a short hash of the original keeps it unique."""
    safe = _UNSAFE.sub("-", reference).strip("-") or "plan"
    if safe != reference or len(safe) > 80:
        safe = f"{safe[:70].rstrip('-')}-{hashlib.sha256(reference.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return f"{canonical_authority(authority)}:{safe}"


def org_id_code(identifier: str) -> str | None:
    """Convert an organisation identifier to an authority code (`GB-PPON-PJJX-1133-JRGV`), with other characters as
    hyphens. None without a list of organisations (`org-7`): such an identifier means something else in every file."""
    if not re.match(r"[A-Z]{2}-[A-Za-z0-9]+-\w", identifier):
        return None
    safe = re.sub(r"[^A-Za-z0-9]+", "-", identifier).strip("-")[:120]
    return safe if re.match(AUTHORITY_PATTERN, safe) else None


def plain(text: str) -> str:
    """Clean the text of a notice or a register: remove control characters, and email addresses and telephone numbers,
    since plans hold no personal data."""
    text = _CONTROL.sub(" ", text[:MAX_TEXT].replace("\r\n", "\n").replace("\r", "\n"))
    return without_contacts(text).strip()


def read_limited(file: Path) -> bytes:
    """Read the file, decompressed if it is gzip or a zip of one file. Raises RefusedError if it is too large or
    unreadable."""
    try:
        if (size := file.stat().st_size) > MAX_FILE_BYTES:
            raise _too_large(size)
        content = file.read_bytes()
        if content.startswith(GZIP_MAGIC):
            with gzip.open(io.BytesIO(content)) as stream:
                return _bounded(cast(IO[bytes], stream))
        return _unzipped(content) if content.startswith(b"PK\x03\x04") else content
    except (EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise RefusedError("", f"can't be unpacked: {error}") from None
    except OSError as error:
        raise RefusedError("", f"can't be read: {error.strerror or error}") from None


def _unzipped(content: bytes) -> bytes:
    """Return the only file in a zip. A workbook stays as it is: xlsx is a zip as well."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        files = [part for part in packed.infolist() if not part.is_dir() and not part.filename.startswith("__MACOSX/")]
        if any(part.filename == "[Content_Types].xml" for part in files):
            return content
        if len(files) != 1:
            raise RefusedError("", f"is a zip of {len(files)} files; unpack it and publish each")
        with packed.open(files[0]) as stream:
            return _bounded(stream)


def _bounded(stream: IO[bytes]) -> bytes:
    content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(len(content))
    return content


def _too_large(size: int) -> RefusedError:
    return RefusedError("", f"has {size} bytes or more; the limit is {MAX_FILE_BYTES}. Split the file")
