"""The releases of a contracting process in order, each merged with everything known of the process by then."""

import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from ocdsmerge import CompiledRelease
from ocdsmerge.exceptions import OCDSMergeError, OCDSMergeWarning

from services.ingest.dates import iso_day, milliseconds
from services.ingest.entries import RefusedError
from services.ingest.loose_json import Object, as_object, as_objects, as_text

Found = tuple[str, Object | RefusedError]
"""A JSON path and the release there, or the reason why it is unreadable."""

_RULES: Final = {
    ("id",): "omitWhenMerged",
    ("date",): "omitWhenMerged",
    ("tag",): "omitWhenMerged",
    ("parties", "additionalIdentifiers"): "wholeListMerge",
    ("tender", "items", "additionalClassifications"): "wholeListMerge",
}
"""OCDS 1.1's merge rules for the fields used here. They are restated so that reading a file needs no network."""

_NUMBER = re.compile(r"(\d+)(?:-\d{4})?$")
"""Matches the number of a notice: 37689 in `037689-2026`, 832961 in `495480ff-...-832961`."""

_UPDATES: Final = ("Update", "Amendment")


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """A contracting process as of one of its releases. `revision` orders the states, `released` is the release's day.
    `partial`: the release may hold changed fields only, and the release that it changes is missing."""

    path: str
    release: Object
    revision: int
    released: date
    partial: bool = False

    @property
    def ocid(self) -> str:
        """The process's identifier."""
        return as_text(self.release.get("ocid"))


def release_states(found: Iterable[Found]) -> Iterator[ReleaseState | tuple[str, Object, RefusedError]]:
    """Return the state after each release, process by process; for an unreadable one, its path, the release and the
    reason."""
    processes: dict[str, list[ReleaseState]] = {}
    for path, release in found:
        if isinstance(release, RefusedError):
            yield path, {}, release
            continue
        try:
            state = dated(path, release)
        except RefusedError as refused:
            yield path, release, refused
        else:
            processes.setdefault(state.ocid, []).append(state)
    for releases in processes.values():
        yield from _accumulated(releases)


def dated(path: str, release: Object) -> ReleaseState:
    """Read a single release. Raises RefusedError if it lacks the process's identifier or the date."""
    if not as_text(release.get("ocid")):
        raise RefusedError("ocid", "is missing; every release of OCDS has one")
    time, day = milliseconds(release.get("date")), iso_day(release.get("date"))
    if time is None or day is None or time < 1:
        raise RefusedError("date", "is not a time such as 2026-04-24T15:28:33+01:00; it becomes the plan's revision")
    # If two notices have the same second, the one with the higher number is later.
    revision = time + notice_number(as_text(release.get("id"))) % 1000 if time % 1000 == 0 else time
    return ReleaseState(path, release, revision, day, partial=_is_partial(release))


def notice_number(identifier: str) -> int:
    """Return the number in a notice's identifier, which orders notices of the same second; without one, a checksum."""
    match = _NUMBER.search(identifier)
    return int(match[1][-9:]) if match else zlib.crc32(identifier.encode())


def is_update(release: Object) -> bool:
    """Return whether a release changes an earlier one."""
    return any(tag.endswith(_UPDATES) for tag in release_tags(release))


def _is_partial(release: Object) -> bool:
    """Return whether a release alone may hold changed fields only. A compiled release holds all fields."""
    return is_update(release) and "compiled" not in release_tags(release)


def release_tags(release: Object) -> set[str]:
    """Return the release's tags, which name events in the process."""
    tags = release.get("tag")
    return {as_text(tag) for tag in (tags if isinstance(tags, list) else [tags])} - {""}


def merge_record(ocid: str, releases: list[Object]) -> Object | RefusedError:
    """Merge all releases of a record into one, with the identity and the tags of the last."""
    try:
        states = [dated("", {"ocid": ocid or "unknown"} | release) for release in releases]
    except RefusedError:
        return RefusedError("releases", "can't be merged: one of them has no date")
    if len({as_text(release.get("ocid")) for release in releases} - {""}) > 1:
        return RefusedError("releases", "are of several processes; publish them as a package of releases")
    last = list(_accumulated(states))[-1]
    if not isinstance(last, ReleaseState):
        return last[2]
    tags = sorted(release_tags(last.release) | (set() if last.partial else {"compiled"}))
    return last.release | {"ocid": ocid or releases[0].get("ocid"), "tag": tags}


def _accumulated(releases: list[ReleaseState]) -> Iterator[ReleaseState | tuple[str, Object, RefusedError]]:
    """Merge each release with all before it, in the order of their strictly rising revisions."""
    ordered = sorted(releases, key=lambda state: state.revision)
    if len(ordered) == 1:
        yield ordered[0]
        return
    compiled = CompiledRelease(merge_rules=_RULES)
    last: ReleaseState | None = None
    before: Object | None = None
    for state in ordered:
        if last and state.release == before:
            # A repeated release: a feed's pages shift while they are read.
            yield replace(last, path=state.path)
            continue
        try:
            merged = _append(compiled, state.release, last.release if last else {})
        except (OCDSMergeError, TypeError, AttributeError, KeyError, ValueError, RecursionError):
            wrong = RefusedError("", "contradicts an earlier release in its structure and can't be merged with it")
            yield state.path, state.release, wrong
            continue
        revision = max(state.revision, last.revision + 1 if last else 0)
        partial = state.partial and (last is None or last.partial)
        last, before = ReleaseState(state.path, merged, revision, state.released, partial), state.release
        yield last


def _append(compiled: CompiledRelease, release: Object, known: Object) -> Object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OCDSMergeWarning)
        compiled.append(_spell_out_nulls(release, known))
        merged: Object = compiled.asdict()
    # A merged release has no tags of its own. The last release's tags and date apply.
    return merged | {name: release.get(name) for name in ("id", "date", "tag")}


def _spell_out_nulls(release: Object, known: Object) -> Object:
    """Return the release with null for each field of an object that it deletes as a whole; ocdsmerge deletes single
    fields only."""
    spelt = dict(release)
    for name, value in release.items():
        before = known.get(name)
        if isinstance(before, dict) and value is None:
            spelt[name] = _spell_out_nulls(dict.fromkeys(before), before)
        elif isinstance(before, dict) and isinstance(value, dict):
            spelt[name] = _spell_out_nulls(value, before)
    return spelt


def living_lots(release: Object) -> list[Object]:
    """Return the lots still to be bought: neither cancelled nor awarded."""
    awarded = _awarded_lots(release)
    lots = as_objects(as_object(release.get("tender")).get("lots"))
    return [
        lot for lot in lots if as_text(lot.get("status")) not in GIVEN_UP | {"complete"} and lot_id(lot) not in awarded
    ]


GIVEN_UP: Final = {"cancelled", "withdrawn", "unsuccessful"}
"""Statuses of a tender, a lot or an award that ended without a result."""


def decided_awards(release: Object) -> list[Object]:
    """Return the awards made or cancelled; a pending award decides nothing yet."""
    return [award for award in as_objects(release.get("awards")) if as_text(award.get("status")) != "pending"]


def lot_id(lot: Object) -> str:
    """Return a lot's identifier, which awards and items refer to."""
    return as_text(lot.get("id"))


def related_lots(holder: Object) -> set[str]:
    """Return the lots of an item or an award; empty for all lots."""
    several = holder.get("relatedLots")
    named = [as_text(lot) for lot in several] if isinstance(several, list) else [as_text(holder.get("relatedLot"))]
    return set(named) - {""}


def _awarded_lots(release: Object) -> set[str]:
    every = {lot_id(lot) for lot in as_objects(as_object(release.get("tender")).get("lots"))}
    decided: set[str] = set()
    for award in decided_awards(release):
        decided |= related_lots(award) or every
    return decided
