"""Contracts out of files: JSONL, one contract a line, as it is on the wire."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from events.cloudevents import EnvelopeError, strict_json
from events.contracts import CONTRACT_PAYLOADS, ContractPayload, ContractPublished
from events.redaction import redact_contract
from services.ingest.entries import RefusedError, Rejected, refusal
from services.ingest.jsonl import MAX_LINE_BYTES, numbered_lines, open_lines


@dataclass(frozen=True, slots=True)
class ContractEntry:
    """One contract event, and the line or row it stands at."""

    file: str
    where: str
    payload: ContractPayload


ReadContract = ContractEntry | Rejected


def read_contracts(file: Path, authority: str | None = None) -> Iterator[ReadContract]:
    """Reads contract events line by line. `authority`: only this one's may be in the file.

    A line without `revision` gets the time of the file's last change, in milliseconds: the same file published again
    changes nothing, and a changed one counts as newer.
    """
    try:
        revision = file.stat().st_mtime_ns // 1_000_000
        with open_lines(file) as stream:
            for number, line in numbered_lines(stream):
                where = f"line {number}"
                try:
                    yield ContractEntry(file.name, where, _own(_payload(line, revision), authority))
                except RefusedError as refused:
                    yield Rejected(file.name, where, refused.field, refused.reason)
    except (OSError, EOFError, zlib.error) as error:
        yield Rejected(file.name, "file", "", f"can't be read: {getattr(error, 'strerror', None) or error}")


def contract_payload(fields: dict[str, Any]) -> ContractPayload:
    """A contract event of these fields; `type` says which, published where it is left out. Raises RefusedError."""
    kind = fields.get("type", ContractPublished.type)
    model = next((one for one in CONTRACT_PAYLOADS if kind in (one.type, one.type.split(".")[2])), None)
    if model is None:
        raise RefusedError("type", "is neither published nor withdrawn")
    try:
        return redact_contract(model.model_validate_json(json.dumps(fields)))
    except ValidationError as error:
        raise refusal(error) from None


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
