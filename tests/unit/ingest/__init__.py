"""Shared by the publisher's tests: where real data lies if this machine has it, and how reads are told apart."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from events.plans import PlanPayload
from services.ingest.entries import AcceptedEntry, Entry, RejectedEntry

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs" / "examples"
SHARED = ROOT.parent / "shared" / "data"


def accepted(reads: Iterable[Entry]) -> list[Any]:
    """The payloads that were accepted. Of any kind, so that tests may ask for any field."""
    payloads: list[PlanPayload] = [read.payload for read in reads if isinstance(read, AcceptedEntry)]
    return payloads


def rejected(reads: Iterable[Entry]) -> list[RejectedEntry]:
    """What was rejected."""
    return [read for read in reads if isinstance(read, RejectedEntry)]
