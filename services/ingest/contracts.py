"""Contracts out of files: JSONL with one event a line, the rows of a contract register, or OCDS notices."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from events.cloudevents import EnvelopeError, strict_json
from events.contracts import CONTRACT_PAYLOADS, ContractPayload, ContractPublished
from events.plans import PlanState
from events.redaction import redact_contract
from services.domain.disclosure import are_open
from services.ingest.entries import (
    AcceptedEntry,
    Options,
    RefusedError,
    RejectedEntry,
    SkippedEntry,
    plan_id,
    to_rejection,
)
from services.ingest.jsonl import MAX_LINE_BYTES, numbered_lines, open_lines
from services.ingest.loose_json import as_object, as_text
from services.ingest.ocds import fields as ocds_fields
from services.ingest.ocds.awarded_contract import awarded_contract
from services.ingest.ocds.notices import Phase, phase_of
from services.ingest.ocds.process import ReleaseState, release_states
from services.ingest.ocds.reader import buyers_in, find_releases
from services.ingest.ocds.release import owners_of
from services.ingest.register.column_mapping import RegisterMapping
from services.ingest.register.reader import read_register


@dataclass(frozen=True, slots=True)
class ContractEntry:
    """One contract event, and the line or row it stands at."""

    file: str
    where: str
    payload: ContractPayload


ReadContract = ContractEntry | RejectedEntry | SkippedEntry

NO_SUPPLIER: Final = "rows that name no supplier say nothing of a contract"
NO_AWARD: Final = "notices that award no contract were skipped"
NOT_OPEN: Final = "rows that are not shared openly were not published"


def read_contracts(file: Path, authority: str | None = None) -> Iterator[ReadContract]:
    """Read contract events line by line. `authority`: only this one's may be in the file.

    A line without `revision` gets the time of the file's last change, in milliseconds: the same file published again
    changes nothing, and a changed one counts as newer.
    """
    try:
        revision = revision_of(file)
        with open_lines(file) as stream:
            for number, line in numbered_lines(stream):
                where = f"line {number}"
                try:
                    yield ContractEntry(file.name, where, _own(_payload(line, revision), authority))
                except RefusedError as refused:
                    yield RejectedEntry(file.name, where, refused.field, refused.reason)
    except (OSError, EOFError, zlib.error) as error:
        yield RejectedEntry(file.name, "file", "", f"can't be read: {getattr(error, 'strerror', None) or error}")


def read_register_contracts(
    file: Path, options: Options, mapping: RegisterMapping, sharing: dict[str, date]
) -> Iterator[ReadContract]:
    """The running contracts of a register, open as `sharing` says: the register itself does not.

    A row without a supplier is skipped, and so is one that is not shared openly. Revisions are as for JSONL.
    """
    for entry in read_register(file, options, mapping):
        if isinstance(entry, RejectedEntry | SkippedEntry):
            yield entry
        elif isinstance(entry, AcceptedEntry) and isinstance(entry.payload, PlanState):
            yield _of_plan(entry, entry.payload, revision_of(file), sharing)


def read_notice_contracts(file: Path, options: Options) -> Iterator[ReadContract]:
    """The contracts of OCDS notices of award and of contract details, open to the public from the notice's day."""
    try:
        found = find_releases(file)
    except RefusedError as refused:
        yield RejectedEntry(file.name, "file", refused.field, refused.reason)
        return
    learned, only_stranger = buyers_in(found)
    for state in release_states(found):
        if not isinstance(state, ReleaseState):
            yield RejectedEntry(file.name, state[0], state[2].field, state[2].reason)
            continue
        try:
            if phase_of(state.release) is not Phase.AWARDED:
                yield SkippedEntry(file.name, state.path, NO_AWARD)
                continue
            owners, _ = owners_of(state.release, options, learned, only_stranger=only_stranger)
            for authority in owners:
                yield _of_notice(file.name, state, authority)
        except RefusedError as refused:
            yield RejectedEntry(file.name, state.path, refused.field, refused.reason)


def _of_notice(file: str, state: ReleaseState, authority: str) -> ReadContract:
    release, awarded = state.release, awarded_contract(state.release)
    if not awarded.suppliers:
        return SkippedEntry(file, state.path, NO_SUPPLIER)
    tender = as_object(release.get("tender"))
    title = " ".join(ocds_fields.prose(as_text(tender.get("title")) or as_text(release.get("title"))).split())[:500]
    fields = {
        "contract_id": plan_id(authority, state.ocid),
        "revision": state.revision,
        "authority": authority,
        "title": title,
        "supplier": awarded.suppliers,
        "product": title[:300],
        "cpv": ocds_fields.cpv(release),
        "start": awarded.start,
        "end": awarded.end,
        "extension_months": awarded.extension_months,
        "annual_value": awarded.annual_value,
        "sharing": {"public": state.released},
    }
    try:
        return ContractEntry(file, state.path, ContractPublished.model_validate(fields))
    except ValidationError as error:
        raise to_rejection(error) from None


def revision_of(file: Path) -> int:
    """The time of the file's last change, in milliseconds since 1970."""
    return file.stat().st_mtime_ns // 1_000_000


def day_of(file: Path) -> date:
    """The day of the file's last change."""
    return datetime.fromtimestamp(revision_of(file) / 1000, UTC).date()


def _of_plan(entry: AcceptedEntry, plan: PlanState, revision: int, sharing: dict[str, date]) -> ReadContract:
    """The contract that a row's plan is to follow: the register's reader knows all of it but prices."""
    running = plan.current_contract
    if running is None or not running.supplier:
        return SkippedEntry(entry.file, entry.where, NO_SUPPLIER)
    if not are_open(plan):
        return SkippedEntry(entry.file, entry.where, NOT_OPEN)
    fields = {
        "contract_id": plan.plan_id,
        "revision": plan.revision if entry.numbered else revision,
        "authority": plan.authority,
        "title": plan.title,
        "supplier": running.supplier,
        "product": running.product,
        "cpv": plan.cpv,
        "end": running.end,
        "extension_months": running.extension_months,
        "annual_value": running.annual_value,
        "sharing": sharing,
    }
    try:
        return ContractEntry(entry.file, entry.where, ContractPublished.model_validate(fields))
    except ValidationError as error:
        refused = to_rejection(error)
        return RejectedEntry(entry.file, entry.where, refused.field, refused.reason)


def contract_payload(fields: dict[str, Any]) -> ContractPayload:
    """A contract event of these fields; `type` says which, published where it is left out. Raises RefusedError."""
    kind = fields.get("type", ContractPublished.type)
    model = next((one for one in CONTRACT_PAYLOADS if kind in (one.type, one.type.split(".")[2])), None)
    if model is None:
        raise RefusedError("type", "is neither published nor withdrawn")
    try:
        return redact_contract(model.model_validate_json(json.dumps(fields)))
    except ValidationError as error:
        raise to_rejection(error) from None


def _payload(line: bytes | int, revision: int) -> ContractPayload:
    if isinstance(line, int):
        raise RefusedError("", f"has {line} bytes; {MAX_LINE_BYTES} are the most a contract may have")
    try:
        fields = strict_json(line)
    except EnvelopeError as error:
        raise RefusedError("", str(error)) from None
    if not isinstance(fields, dict):
        raise RefusedError("", "is not an object; expected one contract a line")
    return contract_payload({"revision": revision, **fields})


def _own(payload: ContractPayload, authority: str | None) -> ContractPayload:
    if authority is not None and payload.authority != authority:
        reason = f"is {payload.authority}, but --authority says {authority}; publish it as its owner"
        raise RefusedError("authority", reason)
    return payload
