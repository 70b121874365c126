"""Reads plan payloads, one per line: plain payloads, or whole CloudEvents in structured mode."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from pydantic import ValidationError

from events.cloudevents import MAX_VALUE_BYTES, EnvelopeError, strict_json
from events.plans import PLAN_PAYLOADS, PlanPayload, PlanPublished
from events.redaction import redact
from services.ingest.entries import (
    GZIP_MAGIC,
    AcceptedEntry,
    Entry,
    Options,
    RefusedError,
    RejectedEntry,
    require_owner,
    to_rejection,
)

MAX_LINE_BYTES: Final = MAX_VALUE_BYTES
_BOM = b"\xef\xbb\xbf"


def read_jsonl(file: Path, options: Options) -> Iterator[Entry]:
    """Read plan payloads line by line, in constant memory; blank lines are skipped.

    `type` in a line names its event (published, updated, withdrawn, awarded, or the full CloudEvents type); without it,
    the line is a published plan.
    """
    try:
        with open_lines(file) as stream:
            for number, line in numbered_lines(stream):
                yield _read(file.name, f"line {number}", line, options)
    except (OSError, EOFError, zlib.error) as error:
        yield RejectedEntry(file.name, "file", "", f"can't be read: {getattr(error, 'strerror', None) or error}")


def open_lines(file: Path) -> BinaryIO:
    """Open the file as a stream of bytes, decompressed while reading if it is gzip."""
    with file.open("rb") as stream:
        packed = stream.read(2) == GZIP_MAGIC
    return cast(BinaryIO, gzip.open(file)) if packed else file.open("rb")


def numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | int]]:
    """Return the number and bytes of each line that is not blank; for a line that is too long, its length."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        length = len(line)
        if length > MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                length += len(rest)
            yield number, length + len(rest)
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield number, line


def _read(file: str, where: str, line: bytes | int, options: Options) -> Entry:
    try:
        if isinstance(line, int):
            raise RefusedError("", f"has {line} bytes; the limit for a plan is {MAX_LINE_BYTES}")
        return AcceptedEntry(file, where, require_owner(_payload(line), options))
    except RefusedError as refused:
        return RejectedEntry(file, where, refused.field, refused.reason, refused.plan_id)


def _payload(line: bytes) -> PlanPayload:
    try:
        content = strict_json(line)
    except EnvelopeError as error:
        raise RefusedError("", str(error)) from None
    if not isinstance(content, dict):
        raise RefusedError("", "is not an object; expected one plan payload a line")
    if "ocid" in content or "releases" in content or "records" in content:
        raise RefusedError("", "is an OCDS document among plans; publish it from a file of its own with --format ocds")
    named = content.get("plan_id")
    if "specversion" in content:
        line = json.dumps(content.get("data")).encode()
    try:
        return redact(_model(content).model_validate_json(line))
    except ValidationError as error:
        raise to_rejection(error, named if isinstance(named, str) else None) from None


def _model(content: dict[str, object]) -> type[PlanPayload]:
    kind = content.get("type", PlanPublished.type)
    for model in PLAN_PAYLOADS:
        if kind in (model.type, model.type.split(".")[2]):
            return model
    known = ", ".join(model.type.split(".")[2] for model in PLAN_PAYLOADS)
    raise RefusedError("type", f"is none of {known} (or their full names, such as {PlanPublished.type})")
