"""Verifies, proves and exports the audit log. Acts are appended by `services.store.audit_log.append`."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.signed_notes import Checkpoint, read_checkpoint
from services.domain.merkle import Frontier, inclusion_proof, leaf_hash, tree_root
from services.store import audit_log, audit_names
from services.store.audit_log import StoredEntry

MAX_PROBLEMS: Final = 20
_PROOF: Final = "c2sp.org/tlog-proof@v1"


class AuditError(Exception):
    """The entry does not exist or can't be proved; the message gives the remedy."""


@dataclass(frozen=True, slots=True)
class KnownCheckpoint:
    """A checkpoint to compare the log with, and its source."""

    checkpoint: Checkpoint
    source: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of a verification. Without `problems` the log is intact."""

    entries: int
    root: str
    checkpoints: int
    problems: Sequence[str]


async def verify(session: AsyncSession, kept: Sequence[KnownCheckpoint] = ()) -> AuditReport:
    """Read every entry and compare the tree with the database's own checkpoints and those `kept` elsewhere.

    Call it in one snapshot. If the database's owner cuts the log, only a checkpoint kept elsewhere can show it.
    """
    own = [
        KnownCheckpoint(read_checkpoint(row.note, None), "the database") for row in await audit_log.checkpoints(session)
    ]
    check = Verification([*own, *kept])
    async for entry in audit_log.entries(session):
        check.add(entry)
    return check.finish(await audit_log.read_head(session))


async def prove(session: AsyncSession, seq: int) -> str:
    """The proof (C2SP tlog-proof) that an entry is in the tree of the newest checkpoint; `extra` holds the entry.

    Raises AuditError if the entry or a checkpoint with it is missing, or the log was changed.
    """
    entry, row = await audit_log.load(session, seq), await audit_log.newest_checkpoint(session)
    if entry is None:
        raise AuditError(f"there is no entry {seq}; `jointly audit export` prints all")
    if row is None or row.size <= seq:
        raise AuditError(f"no checkpoint has entry {seq} yet; the relay signs one an hour, see `jointly audit verify`")
    checkpoint = read_checkpoint(row.note, None)
    leaves = await audit_log.leaves(session, checkpoint.size)
    if tree_root(leaves) != checkpoint.root or leaf_hash(entry.body) != entry.leaf:
        raise AuditError("the entries are not those of the checkpoint: `jointly audit verify` says which were changed")
    proof = [base64.b64encode(node).decode() for node in inclusion_proof(leaves, seq)]
    extra = base64.b64encode(entry.body).decode()
    return "\n".join([_PROOF, f"extra {extra}", f"index {seq}", *proof, "", row.note])


async def export(session: AsyncSession, *, authority: str | None, names: bool) -> AsyncIterator[dict[str, Any]]:
    """Export all entries, or those of one authority, in order. `body` is the hashed text, `leaf` its hash.

    `names` adds the name and job title of the person who acted, unless they were erased.
    """
    async for entry in audit_log.entries(session):
        if authority is not None and entry.authority != authority:
            continue
        line: dict[str, Any] = {"seq": entry.seq, "leaf": entry.leaf.hex(), "body": entry.body.decode()}
        if names and entry.actor is not None:
            found = (await audit_names.find(session, [entry.actor])).get(entry.actor)
            line |= {"name": found.name if found else None, "job_title": found.job_title if found else None}
        yield line


class Verification:
    """One pass over the log, entry by entry, compared with the known checkpoints."""

    def __init__(self, known: Sequence[KnownCheckpoint]) -> None:
        self.waiting = sorted(known, key=lambda one: one.checkpoint.size)
        self.frontier = Frontier()
        self.expected = 0
        self.good_until = 0
        self.checked = 0
        self.problems: list[str] = []

    def add(self, entry: StoredEntry) -> None:
        """Add the next entry."""
        if entry.seq != self.expected:
            self._report(f"entries {self.expected} to {entry.seq - 1} are missing")
            self.expected = entry.seq
        wrong = _inconsistency(entry)
        if wrong:
            self._report(f"entry {entry.seq} was changed: {wrong}")
        self.expected += 1
        self.frontier = self.frontier.append(leaf_hash(entry.body))
        self._meet_checkpoints()

    def finish(self, head: Frontier) -> AuditReport:
        """Compare the result with the head and the remaining checkpoints."""
        self._meet_checkpoints()
        for one in self.waiting:
            size = one.checkpoint.size
            self._report(
                f"the log was cut: {one.source} has a checkpoint of {size} entries, the log only {self.expected}"
            )
        if self.frontier != head and not self.problems:
            self._report(f"the head was changed: it says {head.size} entries and another root than they have")
        return AuditReport(self.frontier.size, self.frontier.root.hex(), self.checked, tuple(self.problems))

    def _meet_checkpoints(self) -> None:
        while self.waiting and self.waiting[0].checkpoint.size <= self.expected:
            one = self.waiting.pop(0)
            self.checked += 1
            # After a gap the tree differs anyway, and the gap is reported already.
            if self.frontier.size == self.expected and self.frontier.size == one.checkpoint.size:
                self._compare(one)

    def _compare(self, one: KnownCheckpoint) -> None:
        size = one.checkpoint.size
        if self.frontier.root == one.checkpoint.root:
            self.good_until = max(self.good_until, size)
            return
        self._report(
            f"the first {size} entries are not those that were signed (checkpoint from {one.source}); "
            f"the largest checkpoint that agrees has {self.good_until}"
        )

    def _report(self, sentence: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(sentence)


def _inconsistency(entry: StoredEntry) -> str | None:
    """The part of an entry that contradicts its hash or its body; None if nothing does."""
    if leaf_hash(entry.body) != entry.leaf:
        return "its content does not have the hash that was stored"
    try:
        said = json.loads(entry.body)
        at = datetime.fromisoformat(said["at"])
    except (ValueError, KeyError, TypeError):
        return "its content is not one of ours"
    shown = {name: getattr(entry, name) for name in ("seq", "action", "authority", "subject", "actor")}
    other = [name for name, value in shown.items() if said.get(name) != value]
    if at != entry.at:
        other.append("at")
    return f"the columns {', '.join(other)} are not what was hashed" if other else None
