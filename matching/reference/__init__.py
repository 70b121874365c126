"""Reference facts, restated from public sources (attributed in NOTICE): the authorities, the regions and their nesting,
the borders, the CPV labels. Read once, never changed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

MOST_CODES: Final = 2000
"""The size of the caches by code: large enough for every known code, and bounded, since strangers can send any
other."""


@dataclass(frozen=True, slots=True)
class Authority:
    """One local authority, current or former.

    `code` is its ONS GSS code; `regions` are the ITL 2025 codes it covers (level 3 where known; a county covers all of
    its districts'). `county`, `combined`, `districts`, `predecessors` and `successors` are GSS codes; `end` is an ISO
    date if the authority was abolished.
    """

    code: str
    name: str
    short_name: str
    nation: str
    kind: str
    end: str | None
    regions: tuple[str, ...]
    county: str | None
    combined: str | None
    former_codes: tuple[str, ...]
    successors: tuple[str, ...]
    predecessors: tuple[str, ...] = ()
    districts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Region:
    """One ITL 2025 region: level 0 is the United Kingdom, 1 to 3 the ITL levels; `parent` is None for the UK."""

    code: str
    name: str
    level: int
    parent: str | None


def read_rows(name: str) -> Iterator[list[str]]:
    """Return the rows of one reference file as lists of cells, without its headings."""
    lines = files(__name__).joinpath(name).read_text(encoding="utf-8").splitlines()
    return (line.split("\t") for line in lines[1:])


def _listed(cell: str) -> tuple[str, ...]:
    return tuple(cell.split("|")) if cell else ()


@cache
def _authorities() -> dict[str, Authority]:
    rows = list(read_rows("authorities.tsv"))
    predecessors: dict[str, list[str]] = {}
    districts: dict[str, list[str]] = {}
    for row in rows:
        for successor in _listed(row[11]):
            predecessors.setdefault(successor, []).append(row[0])
        if row[8]:
            districts.setdefault(row[8], []).append(row[0])
    return {
        row[0]: Authority(
            code=row[0],
            name=row[1],
            short_name=row[2],
            nation=row[3],
            kind=row[4],
            end=row[6] or None,
            regions=_listed(row[7]),
            county=row[8] or None,
            combined=row[9] or None,
            former_codes=_listed(row[10]),
            successors=_listed(row[11]),
            predecessors=tuple(predecessors.get(row[0], ())),
            districts=tuple(districts.get(row[0], ())),
        )
        for row in rows
    }


@cache
def _recoded() -> dict[str, str]:
    return {former: a.code for a in _authorities().values() for former in a.former_codes}


def authority(code: str) -> Authority | None:
    """Return the authority of a GSS code, current or former, or None for any other identifier."""
    return _authorities().get(code) or _authorities().get(_recoded().get(code, ""))


def authorities() -> tuple[Authority, ...]:
    """Return every known authority, current ones first by code, then former ones."""
    return tuple(sorted(_authorities().values(), key=lambda a: (a.end is not None, a.code)))


def normalise_name(name: str) -> str:
    """Normalise a name for comparison: lower case letters and digits, single spaces, `&` as `and`."""
    plain = name.lower().replace("&", " and ").replace("'", "").replace("\u2019", "")
    return re.sub(r"[^a-z0-9]+", " ", plain).strip()


@cache
def _names() -> dict[str, str]:
    return {name: row[0] for row in read_rows("names.tsv") for name in _listed(row[1])}


def find_authority(name: str) -> Authority | None:
    """Return the authority with exactly this current or former name once both are normalised; None if there is none."""
    wanted = normalise_name(name)
    code = _names().get(wanted) or _names().get(wanted.removeprefix("the "))
    return _authorities().get(code) if code else None


@lru_cache(maxsize=MOST_CODES)
def names_of(code: str) -> tuple[str, ...]:
    """Return every normalised name of an authority, its predecessors' included; empty for an unknown code."""
    known = authority(code)
    if known is None:
        return ()
    codes = (known.code, *known.predecessors)
    return tuple(name for name, owner in _names().items() if owner in codes)


@cache
def _neighbours() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in read_rows("adjacency.tsv"):
        for other in _listed(row[1]):
            found.setdefault(row[0], set()).add(other)
            found.setdefault(other, set()).add(row[0])
    return {code: frozenset(others) for code, others in found.items()}


@lru_cache(maxsize=MOST_CODES)
def neighbours(code: str) -> frozenset[str]:
    """Return the GSS codes of the authorities that border this one. A county borders the neighbours of its districts,
    and its own districts. A combined authority has none; its members have."""
    known = authority(code)
    if known is None:
        return frozenset()
    direct = set(_neighbours().get(known.code, ()))
    for district in known.districts:
        direct |= _neighbours().get(district, frozenset())
        direct.add(district)
    return frozenset(direct - {known.code})


@cache
def _regions() -> dict[str, Region]:
    level = {2: 0, 3: 1, 4: 2, 5: 3}
    return {
        code: Region(code, name, level[len(code)], None if code == "UK" else code[:-1] if len(code) > 3 else "UK")
        for code, name in read_rows("regions.tsv")
    }


@cache
def _former_regions() -> dict[str, tuple[str, ...]]:
    return {old: _listed(now) for old, now in read_rows("former_regions.tsv")}


def region(code: str) -> Region | None:
    """Return the ITL 2025 region of exactly this code ("UK" is the whole), or None."""
    return _regions().get(code)


def regions() -> tuple[Region, ...]:
    """Return every ITL 2025 region, the United Kingdom first."""
    return tuple(_regions().values())


def normalise_region(code: str) -> tuple[str, ...]:
    """Return the ITL 2025 codes for a region code of any edition: `UKC11` (NUTS) is `TLC11` (ITL 2021), which is
    `TLC31` since 2025. An area that was split has several codes; an unknown code maps to its longest known prefix; a
    code from outside the United Kingdom maps to none."""
    wanted = code.strip().upper()
    if wanted in ("UK", "GB"):
        return ("UK",)
    if wanted.startswith("UK"):
        wanted = "TL" + wanted[2:]
    while len(wanted) > 2:
        if wanted in _regions():
            return (wanted,)
        if wanted in _former_regions():
            return _former_regions()[wanted]
        wanted = wanted[:-1]
    return ()


@cache
def _cpv() -> dict[str, str]:
    return dict(read_rows("cpv.tsv"))


def cpv_label(code: str) -> str | None:
    """Return the English label of a CPV 2008 code (8 digits; a check digit after a hyphen is ignored), or None."""
    return _cpv().get(code.split("-")[0])


def cpv_labels() -> dict[str, str]:
    """Return every CPV 2008 code with its English label."""
    return dict(_cpv())


def display_name(code: str) -> str:
    """Return the common name of an authority; its code if it is unknown."""
    found = authority(code)
    return found.name if found else code
