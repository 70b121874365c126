"""OCDS files: a release, a release package or a record package, as Find a Tender and Contracts Finder publish them."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ocdsmerge import CompiledRelease
from ocdsmerge.exceptions import OCDSMergeError, OCDSMergeWarning

from services.ingest.buyers import Learned, buyer_of, learn_identifiers
from services.ingest.dates import milliseconds
from services.ingest.entries import Accepted, Options, Read, RefusedError, Rejected, whole
from services.ingest.loose_json import Object, obj, objects, text
from services.ingest.ocds.release import plan_of

_RULES: Final = {
    ("id",): "omitWhenMerged",
    ("date",): "omitWhenMerged",
    ("tag",): "omitWhenMerged",
    ("parties", "additionalIdentifiers"): "wholeListMerge",
    ("tender", "items", "additionalClassifications"): "wholeListMerge",
}
"""OCDS 1.1's merge rules for what is read here; restated, so that nothing is fetched to read a file."""

Found = tuple[str, Object | RefusedError]
"""A JSON path and the release that stands there, or why it can't be read."""


def read_ocds(file: Path, options: Options) -> Iterator[Read]:
    """Reads every release of the file; of a record, its compiled release, or one merged from its releases."""
    try:
        found = list(_releases(_parsed(whole(file))))
    except RefusedError as refused:
        yield Rejected(file.name, "file", refused.field, refused.reason)
        return
    learned = learn_identifiers(release for _, release in found if not isinstance(release, RefusedError))
    only_stranger = len(_strangers(found, learned)) <= 1
    for path, release in found:
        try:
            if isinstance(release, RefusedError):
                raise release
            payload, notes = plan_of(release, options, learned, only_stranger=only_stranger)
            yield Accepted(file.name, path, payload, notes)
        except RefusedError as refused:
            ocid = "" if isinstance(release, RefusedError) else text(release.get("ocid"))
            yield Rejected(file.name, f"{path} {ocid[:80]}".strip(), refused.field, refused.reason, refused.plan_id)


def _parsed(content: bytes) -> object:
    try:
        # Not strictly: Find a Tender writes Infinity. Where a number is read, only a finite one counts.
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
    """One release or package a line. Raises RefusedError with the line that is none."""
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
    package = obj(document)
    if isinstance(package.get("releases"), list) and "ocid" not in package:
        yield from _listed("releases", package["releases"])
    elif isinstance(package.get("records"), list):
        for number, record in enumerate(package["records"]):
            yield from _record(f"records[{number}]", obj(record))
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
    if compiled := obj(record.get("compiledRelease")):
        yield f"{path}.compiledRelease".lstrip("."), {"ocid": record.get("ocid")} | compiled
        return
    releases = list(objects(record.get("releases")))
    if any("url" in release and "tender" not in release and "date" not in release for release in releases):
        yield path, RefusedError("releases", "are only links; publish a package that holds the releases themselves")
    elif not releases:
        yield path, RefusedError("releases", "are missing: the record holds nothing to publish")
    else:
        yield path, _merged(releases)


def _merged(releases: list[Object]) -> Object | RefusedError:
    dated = [(milliseconds(release.get("date")), release) for release in releases]
    if any(date is None for date, _ in dated):
        return RefusedError("releases", "can't be merged: one of them has no date")
    compiled = CompiledRelease(merge_rules=_RULES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OCDSMergeWarning)
            for _, release in sorted(dated, key=lambda pair: pair[0] or 0):
                compiled.append(release)
            merged: Object = compiled.asdict()
    except (OCDSMergeError, TypeError, AttributeError, KeyError, ValueError, RecursionError):
        return RefusedError("releases", "contradict each other in their structure and can't be merged")
    # A merged release has no tags of its own: the last one's say what stage the process has reached.
    last = max(dated, key=lambda pair: pair[0] or 0)[1]
    return merged | {"tag": last.get("tag")}


def _strangers(found: list[Found], learned: Learned) -> set[str]:
    names = set()
    for _, release in found:
        if not isinstance(release, RefusedError):
            try:
                buyer = buyer_of(release, learned)
            except RefusedError:
                continue
            if buyer.code is None:
                names.add(buyer.name or buyer.identifier)
    return names
