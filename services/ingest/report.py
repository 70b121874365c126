"""A report on a file's entries for its maintainer: counts, and each kind of note with its first examples."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from events.plans import PlanAwarded, PlanState, PlanUpdated, PlanWithdrawn
from services.ingest.entries import AcceptedEntry, Entry, RejectedEntry, SkippedEntry, UnchangedEntry

EXAMPLES: Final = 3
MAX_ENTRIES: Final = 5_000
"""The maximum number of entries that a report lists."""

GONE: Final = "gone from the file"
"""The place of a withdrawal that Jointly adds, since it has no entry in the file."""

_QUOTED = re.compile(r"'[^']*'|\([^()]*\d[^()]*\)|\b\d[\d,.:/-]*\b")
"""Matches the variable parts of a note: the cell that it quotes, days and numbers."""


class Outcome(StrEnum):
    """The outcome of one entry."""

    PUBLISHED = "published"
    UPDATED = "updated"
    WITHDRAWN = "withdrawn"
    AWARDED = "awarded"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Example:
    """The place of a note, and the note itself."""

    where: str
    text: str


@dataclass(slots=True)
class Finding:
    """One kind of note: its count, and its first places."""

    kind: str
    count: int = 0
    examples: list[Example] = field(default_factory=list)
    same: bool = True

    @property
    def sentence(self) -> str:
        """The note itself if all are the same, else their kind."""
        return self.examples[0].text if self.same and self.examples else self.kind

    def add(self, where: str, text: str) -> None:
        """Count one more."""
        self.count += 1
        self.same = self.same and (not self.examples or self.examples[0].text == text)
        if len(self.examples) < EXAMPLES:
            self.examples.append(Example(where, text))

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON."""
        examples = [{"where": example.where, "text": example.text} for example in self.examples]
        return {"kind": self.sentence, "count": self.count, "examples": examples}


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """One entry of the file and its outcome; `detail` gives the reason, or inferred facts."""

    where: str
    outcome: Outcome
    plan_id: str
    title: str
    tender: str
    detail: str


Findings = dict[str, Finding]


@dataclass(slots=True)
class Report:
    """The outcomes of a file's entries. `published` counts every event sent, including withdrawals (in a dry run: every
    event that would be sent). `listed`: whether the report also keeps each entry."""

    file: str
    dry_run: bool = False
    listed: bool = False
    read: int = 0
    published: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    unreadable: bool = False
    skipped: Findings = field(default_factory=dict)
    inferred: Findings = field(default_factory=dict)
    rejected: Findings = field(default_factory=dict)
    entries: list[EntryOutcome] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Add one entry."""
        self.read += entry.where != GONE
        match entry:
            case AcceptedEntry():
                for note in entry.notes:
                    _find(self.inferred, kind_of(note)).add(entry.where, note)
            case UnchangedEntry():
                self.unchanged += 1
            case SkippedEntry():
                _find(self.skipped, entry.reason).add(entry.where, entry.reason)
            case RejectedEntry():
                self.unreadable |= entry.where == "file"
                sentence = rejection_sentence(entry)
                _find(self.rejected, kind_of(sentence)).add(entry.where, sentence)
        if self.listed and len(self.entries) < MAX_ENTRIES:
            self.entries.append(_outcome(entry))

    @property
    def skipped_count(self) -> int:
        """Count the entries that were no plans."""
        return total(self.skipped)

    @property
    def rejected_count(self) -> int:
        """Count the entries that can't be published."""
        return total(self.rejected)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "read": self.read,
            "published": self.published,
            "unchanged": self.unchanged,
            "withdrawn": self.withdrawn,
            "skipped": self.skipped_count,
            "rejected": self.rejected_count,
            "reasons": {finding.sentence: finding.count for finding in by_count(self.rejected)},
            "notes": {
                "rejected": [finding.as_json() for finding in by_count(self.rejected)],
                "skipped": [finding.as_json() for finding in by_count(self.skipped)],
                "inferred": [finding.as_json() for finding in by_count(self.inferred)],
            },
        }


def by_count(findings: Mapping[str, Finding]) -> list[Finding]:
    """Return the findings, the most frequent first."""
    return sorted(findings.values(), key=lambda finding: -finding.count)


def total(findings: Mapping[str, Finding]) -> int:
    """Count the notes of all kinds."""
    return sum(finding.count for finding in findings.values())


def rejection_sentence(entry: RejectedEntry) -> str:
    """Describe a rejection with the field at fault."""
    return f"{entry.field}: {entry.reason}" if entry.field else entry.reason


def kind_of(note: str) -> str:
    """A note without the cell that it quotes, so that notes of one kind are counted together.

    >>> kind_of("end: '31 Feb' is not a day; write it as 31/03/2027 or 2027-03-31")
    "end: '…' is not a day; write it as … or …"
    """
    return _QUOTED.sub(lambda match: "'…'" if match[0].startswith("'") else "…", note)


def _find(findings: Findings, kind: str) -> Finding:
    return findings.setdefault(kind, Finding(kind))


def _outcome(entry: Entry) -> EntryOutcome:
    match entry:
        case AcceptedEntry(payload=payload):
            window = payload.tender_window if isinstance(payload, PlanState) else None
            return EntryOutcome(
                entry.where,
                _event_outcome(entry),
                payload.plan_id,
                payload.title if isinstance(payload, PlanState) else "",
                f"{window.earliest} to {window.latest}" if window else "",
                "; ".join(entry.notes),
            )
        case UnchangedEntry():
            return EntryOutcome(entry.where, Outcome.UNCHANGED, entry.plan_id, "", "", "")
        case SkippedEntry():
            return EntryOutcome(entry.where, Outcome.SKIPPED, entry.plan_id or "", "", "", entry.reason)
        case RejectedEntry():
            return EntryOutcome(entry.where, Outcome.REJECTED, entry.plan_id or "", "", "", rejection_sentence(entry))


def _event_outcome(entry: AcceptedEntry) -> Outcome:
    match entry.payload:
        case PlanWithdrawn():
            return Outcome.WITHDRAWN
        case PlanAwarded():
            return Outcome.AWARDED
        case PlanUpdated():
            return Outcome.UPDATED
        case _:
            return Outcome.PUBLISHED
