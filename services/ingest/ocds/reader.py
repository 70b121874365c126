"""Reads OCDS files: a release, a release package or a record package, as Find a Tender and Contracts Finder publish
them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from services.ingest.buyers import Learned, buyers_of, learn_identifiers
from services.ingest.entries import Entry, Options, RefusedError, RejectedEntry, read_limited
from services.ingest.loose_json import Object, as_object, as_objects, as_text
from services.ingest.ocds.process import Found, ReleaseState, merge_record, release_states
from services.ingest.ocds.release import read_state


def read_ocds(file: Path, options: Options) -> Iterator[Entry]:
    """Read every release of the file, merged with the earlier releases of its process in the file. Of a record, read
    its compiled release, or merge its releases."""
    try:
        found = find_releases(file)
    except RefusedError as refused:
        yield RejectedEntry(file.name, "file", refused.field, refused.reason)
        return
    yield from read_releases(file.name, found, options)


def find_releases(file: Path) -> list[Found]:
    """Return every release of the file, or the reason why an entry holds none. Raises RefusedError if the file is not
    OCDS."""
    return list(_releases(_parsed(read_limited(file))))


def read_releases(file: str, found: Sequence[Found], options: Options) -> Iterator[Entry]:
    """Convert releases from a file or a feed to events, each process in the order of its releases."""
    learned, only_stranger = buyers_in(found)
    for state in release_states(found):
        if isinstance(state, ReleaseState):
            yield from read_state(file, state, options, learned, only_stranger=only_stranger)
        else:
            path, release, refused = state
            where = f"{path} {as_text(release.get('ocid'))[:80]}".strip()
            yield RejectedEntry(file, where, refused.field, refused.reason)


def buyers_in(found: Sequence[Found]) -> tuple[Learned, bool]:
    """What the releases of a file say of their buyers, and whether at most one of those is unknown."""
    learned = learn_identifiers(release for _, release in found if not isinstance(release, RefusedError))
    return learned, len(_strangers(found, learned)) <= 1


def _parsed(content: bytes) -> object:
    try:
        # Lenient parsing: Find a Tender writes Infinity. Readers of numbers accept only finite ones.
        return json.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise RefusedError("", "is not OCDS: the JSON is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise RefusedError("", f"is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.lineno > 1:
            return _json_lines(content)
        raise RefusedError("", f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except ValueError as error:
        raise RefusedError("", f"is not JSON: {error}") from None


def _json_lines(content: bytes) -> list[object]:
    """Read one release or package per line. Raises RefusedError with the first other line."""
    documents: list[object] = []
    for number, line in enumerate(content.decode("utf-8-sig").splitlines(), start=1):
        if line.strip():
            try:
                documents.append(json.loads(line))
            except (ValueError, RecursionError):
                raise RefusedError(
                    "", f"is not JSON at line {number}; expected one release or package a line"
                ) from None
    return documents


def _releases(document: object) -> Iterator[Found]:
    if not isinstance(document, list):
        yield from _document(document)
        return
    for number, entry in enumerate(document):
        try:
            yield from ((f"[{number}].{path}".rstrip("."), found) for path, found in _document(entry))
        except RefusedError as refused:
            yield f"[{number}]", refused


def _document(document: object) -> Iterator[Found]:
    package = as_object(document)
    if isinstance(package.get("releases"), list) and "ocid" not in package:
        yield from _listed("releases", package["releases"])
    elif isinstance(package.get("records"), list):
        for number, record in enumerate(package["records"]):
            yield from _record(f"records[{number}]", as_object(record))
    elif "releases" in package or "compiledRelease" in package:
        yield from _record("", package)
    elif "ocid" in package:
        yield "", package
    else:
        raise RefusedError("", "is not OCDS: it has no ocid, releases or records")


def _listed(name: str, releases: list[object]) -> Iterator[Found]:
    for number, release in enumerate(releases):
        wrong = RefusedError("", "is not an object; expected a release")
        yield f"{name}[{number}]", release if isinstance(release, dict) else wrong


def _record(path: str, record: Object) -> Iterator[Found]:
    if compiled := as_object(record.get("compiledRelease")):
        yield f"{path}.compiledRelease".lstrip("."), {"ocid": record.get("ocid")} | compiled
        return
    releases = list(as_objects(record.get("releases")))
    if any("url" in release and "tender" not in release for release in releases):
        yield path, RefusedError("releases", "are only links; publish a package that holds the releases themselves")
    elif not releases:
        yield path, RefusedError("releases", "are missing: the record holds nothing to publish")
    else:
        yield path, merge_record(as_text(record.get("ocid")), releases)


def _strangers(found: Sequence[Found], learned: Learned) -> set[str]:
    """Return the unknown buyers' names from notices without a known authority as buyer."""
    names: set[str] = set()
    for _, release in found:
        if not isinstance(release, RefusedError):
            with suppress(RefusedError):
                buyers = buyers_of(release, learned)
                if not any(buyer.code for buyer in buyers):
                    names.add(buyers[0].name or buyers[0].identifier)
    return names
