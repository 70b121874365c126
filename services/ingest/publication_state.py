"""The state file of a published file: with it, `jointly publish` skips unchanged rows, raises the revision of changed
ones, and withdraws missing ones."""

import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from events.fields import MAX_REVISION, PlanId, Revision
from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from services.ingest.entries import AcceptedEntry, Entry, RejectedEntry, UnchangedEntry
from services.platform.files import write_atomically


class StateError(Exception):
    """The state file can't be used: a sentence with the remedy."""


class LastPublication(BaseModel):
    """The last published state of one plan: its revision, a hash of its other content, and whether it was withdrawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: Revision
    content: str
    withdrawn: bool = False


class State(BaseModel):
    """Everything published from one file."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    plans: dict[PlanId, LastPublication] = {}

    def note(self, payload: PlanPayload) -> None:
        """Record that this payload has been published."""
        over = isinstance(payload, PlanWithdrawn | PlanAwarded)
        known = self.plans.get(payload.plan_id)
        if known is None or payload.revision >= known.revision:
            self.plans[payload.plan_id] = LastPublication(
                revision=payload.revision, content=_content(payload), withdrawn=over
            )


def default_state_path(file: Path) -> Path:
    """Return the default state file of a file."""
    return file.with_name(file.name + ".jointly-state.json")


def load(file: Path) -> State:
    """Read the state from `file`; empty if there is none yet. Raises StateError.

    A link is refused: anybody with write access to the folder could point it at a file that only the publisher may
    write.
    """
    if file.is_symlink():
        raise StateError(f"{file} is a link; name the file itself with --state")
    try:
        # Opening a pipe would block, and a link may have replaced the file since the check.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            return State.model_validate_json(stream.read())
    except FileNotFoundError:
        return State()
    except (OSError, ValidationError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is not a state file of this version"
        raise StateError(
            f"{file} can't be read ({problem}). Name another with --state; without it every row counts as new"
        ) from None


def save(state: State, file: Path) -> None:
    """Write the state atomically: a crash leaves the old or the new state. Raises StateError."""
    try:
        write_atomically(file, json.dumps(state.model_dump(), indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise StateError(f"{file} can't be written: {error.strerror}. What was published stays published") from None


def assign_revision(read: Entry, state: State, now_ms: int) -> Entry:
    """Compare the entry with its last published state: return it as unchanged, or with the next revision.

    If the source has no revisions, the current time in milliseconds serves: it rises even if the state is lost.
    """
    if not isinstance(read, AcceptedEntry):
        return read
    known = state.plans.get(read.payload.plan_id)
    if known and known.content == _content(read.payload) and _same(known, read):
        return UnchangedEntry(read.file, read.where, read.payload.plan_id)
    if not read.numbered:
        return replace(read, payload=_numbered(read.payload, known, now_ms))
    if known and read.payload.revision <= known.revision:
        return RejectedEntry(read.file, read.where, "revision", _outdated(read.payload, known), read.payload.plan_id)
    return read


def _outdated(payload: PlanPayload, known: LastPublication) -> str:
    if known.withdrawn:
        return f"the plan was withdrawn with revision {known.revision}; publish it again with a higher one"
    if payload.revision == known.revision:
        return f"{payload.revision} was published with other content; publish the change under a higher revision"
    return f"{payload.revision} is below {known.revision}, which was published before; publish under a higher revision"


def missing_plans(state: State, present: Collection[str]) -> list[PlanWithdrawn]:
    """Build withdrawals of the published plans that are missing from the file."""
    return [
        PlanWithdrawn(
            plan_id=plan_id,
            revision=_next(entry),
            authority=plan_id.split(":", 1)[0],
            reason="No longer in what the authority publishes.",
        )
        for plan_id, entry in sorted(state.plans.items())
        if not entry.withdrawn and plan_id not in present
    ]


def count_published(state: State) -> int:
    """Count the plans published from the file and not withdrawn."""
    return sum(not entry.withdrawn for entry in state.plans.values())


def _same(known: LastPublication, read: AcceptedEntry) -> bool:
    over = isinstance(read.payload, PlanWithdrawn | PlanAwarded)
    return known.withdrawn == over and (not read.numbered or known.revision == read.payload.revision)


def _numbered(payload: PlanPayload, known: LastPublication | None, now_ms: int) -> PlanPayload:
    revision = max(_next(known), now_ms) if known else now_ms
    if known and isinstance(payload, PlanPublished):
        return PlanUpdated.model_validate(payload.model_dump() | {"revision": revision})
    return payload.model_copy(update={"revision": revision})


def _next(known: LastPublication) -> int:
    return min(known.revision + 1, MAX_REVISION)


def _content(payload: PlanPayload) -> str:
    content = payload.model_dump_json(exclude={"revision"})
    over = isinstance(payload, PlanWithdrawn | PlanAwarded)
    return hashlib.sha256(f"{payload.type if over else ''}\n{content}".encode()).hexdigest()
