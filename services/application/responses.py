"""Responses of authorities: builds them from a file or from a coalition's current state, and sends them over Kafka."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import RESPONSE_PAYLOADS, ResponsePayload
from events.topics import RESPONSES
from events.validation_sentences import describe_validation_error
from services.application.authority_events import AuthorityEvents
from services.store import coalitions
from services.store.opportunities import Opportunity

MAX_LINE_BYTES: Final = 64 * 1024
RESPONSE_EVENTS: Final[AuthorityEvents[ResponsePayload]] = AuthorityEvents(
    RESPONSES, "responses", UUID("0d5f7c7b-8b9e-5f07-a4fb-5d1c2f64c9e1"), lambda payload: payload.subject_id
)
_KINDS: Final = {payload.type.split(".")[2]: payload for payload in RESPONSE_PAYLOADS}


class ResponseError(ValueError):
    """A response can't be built or sent; the message gives the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a response: an opportunity or a coalition, its version, and the authority's own plan in it."""

    kind: str
    subject_id: str
    revision: int
    plan_id: str

    def fields(self, authority: str) -> dict[str, Any]:
        """The fields that every response has."""
        return {
            "response_id": str(uuid4()),
            "authority": authority,
            "plan_id": self.plan_id,
            "subject": self.kind,
            "subject_id": self.subject_id,
            "subject_revision": self.revision,
        }


async def find_subject(session: AsyncSession, subject_id: str, authority: str) -> Subject:
    """Return the coalition or opportunity with this id from the authority's side. Raises ResponseError."""
    row = await coalitions.load(session, subject_id)
    if row is not None:
        coalition = row.coalition
        # An authority can be named twice: as a member asked "still in?", or with a second plan that fits, too.
        plans = [(member.plan_id, member.authority) for member in (*coalition.current, *coalition.members)]
        plans += [(proposal.plan_id, proposal.authority) for proposal in coalition.proposals]
        return Subject("coalition", subject_id, coalition.terms_revision, _own(plans, authority, subject_id))
    opportunity = await session.get(Opportunity, subject_id)
    if opportunity is None:
        raise ResponseError(f"there is no coalition or opportunity {subject_id}; `jointly coalition list` shows them")
    plans = [(opportunity.plan_a, opportunity.authority_a), (opportunity.plan_b, opportunity.authority_b)]
    return Subject("opportunity", subject_id, opportunity.revision, _own(plans, authority, subject_id))


def build(kind: type[ResponsePayload], values: dict[str, Any]) -> ResponsePayload:
    """Validate a response. Raises ResponseError with the invalid field."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ResponseError(describe_validation_error(error)) from None


def read_jsonl(path: Path) -> Iterator[ResponsePayload | ResponseError]:
    """Read the responses of a file, one JSON object a line; an invalid line yields the error.

    `kind` names the payload: `answered` for `jointly.response.answered.v1`. A response without `response_id` gets one
    derived from its content, so that publishing the file again changes nothing.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield _from_line(line)
                except ResponseError as error:
                    yield ResponseError(f"line {number}: {error}")


def _own(plans: Sequence[tuple[str, str]], authority: str, subject_id: str) -> str:
    """The first plan of the authority's. Raises ResponseError if it has none."""
    own = next((plan_id for plan_id, code in plans if code == authority), None)
    if own is None:
        raise ResponseError(f"{authority} has no plan in {subject_id}")
    return own


def _from_line(line: bytes) -> ResponsePayload:
    if len(line) > MAX_LINE_BYTES:
        raise ResponseError(f"has {len(line)} bytes; the limit is {MAX_LINE_BYTES}")
    try:
        values = json.loads(line)
    except ValueError:
        raise ResponseError("is not JSON") from None
    if not isinstance(values, dict) or values.get("kind") not in _KINDS:
        raise ResponseError(f"needs `kind`: {', '.join(sorted(_KINDS))}")
    if "response_id" not in values:
        said = json.dumps(values, sort_keys=True)
        values["response_id"] = str(uuid5(RESPONSE_EVENTS.namespace, said))
    return build(_KINDS[values.pop("kind")], values)
