"""Identifies a local authority by any customary form of its name, or by a code of a public list.

A name is parsed into a place and a designation: "LB Camden" is the place Camden with the designation of a London
borough. The place must be known, and the designation must fit the authority: "Lichfield City Council" is a parish
council and not Lichfield District Council, so it stays unknown.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

from matching.reference import Authority, authorities, authority, find_authority, normalise_name, read_rows

_PREFIXES: Final = {
    "mayor and burgesses of the london borough of": "london",
    "council of the london borough of": "london",
    "london borough of": "london",
    "london borough": "london",
    "lb of": "london",
    "lb": "london",
    "royal borough of": "borough",
    "rb of": "borough",
    "metropolitan borough of": "metropolitan",
    "county borough of": "county borough",
    "borough council of": "borough",
    "borough of": "borough",
    "council of the borough of": "borough",
    "council of the city of": "city",
    "city and county of": "city",
    "city council of": "city",
    "city of": "city",
    "district council of": "district",
    "district of": "district",
    "county council of": "county",
    "county of": "county",
    "council of": "council",
    "cyngor bwrdeistref sirol": "county borough",
    "cyngor sir a dinas": "city",
    "cyngor dinas a sir": "city",
    "cyngor dinas": "city",
    "cyngor sir": "county",
    "cyngor": "council",
    "comhairle bhaile": "city",
    "comhairle": "council",
}
_SUFFIXES: Final = {
    "metropolitan borough council": "metropolitan",
    "metropolitan district council": "metropolitan",
    "metropolitan council": "metropolitan",
    "metropolitan borough": "metropolitan",
    "county borough council": "county borough",
    "london borough council": "london",
    "london borough of": "london",
    "london borough": "london",
    "royal borough of": "borough",
    "city and county of": "city",
    "city and district council": "district",
    "borough council": "borough",
    "district council": "district",
    "county council": "county",
    "city council": "city",
    "islands council": "council",
    "unitary authority": "council",
    "unitary council": "council",
    "county borough": "county borough",
    "city of": "city",
    "county of": "county",
    "borough of": "borough",
    "council": "council",
    "corporation": "council",
    "borough": "borough",
    "district": "district",
    "city": "city",
    "mbc": "metropolitan",
    "mdc": "metropolitan",
    "cbc": "county borough",
    "lbc": "london",
    "lb": "london",
    "bc": "borough",
    "cc": "county or city",
    "dc": "district",
    "ua": "council",
}
_SHIRES: Final = {
    "beds": "bedfordshire", "berks": "berkshire", "bucks": "buckinghamshire", "cambs": "cambridgeshire",
    "derbys": "derbyshire", "glos": "gloucestershire", "hants": "hampshire", "herts": "hertfordshire",
    "lancs": "lancashire", "leics": "leicestershire", "lincs": "lincolnshire", "northants": "northamptonshire",
    "notts": "nottinghamshire", "oxon": "oxfordshire", "staffs": "staffordshire", "warks": "warwickshire",
    "wilts": "wiltshire", "worcs": "worcestershire", "yorks": "yorkshire",
}  # fmt: skip
_BROKEN: Final = re.compile("[Âï¾]+\u00a0")
"""A no-break space that was encoded twice."""

_COUNCIL_WORDS: Final = re.compile(r"\b(council|borough|cyngor|comhairle|local authority)\b", re.IGNORECASE)
_SMALLER_COUNCIL: Final = re.compile(r"\b(town|parish|community) council\b", re.IGNORECASE)


def identify(name: str) -> Authority | None:
    """Return the authority that a name means; None if no authority, or more than one, uses it.

    Reads HTML escapes, accents, abbreviations of counties ("Herts CC"), inversions ("Camden, London Borough of") and
    the Welsh and Gaelic names. For a place that was reorganised under its own name, it returns the current authority.
    """
    spoken = _spoken(name)
    if not spoken or _SMALLER_COUNCIL.search(spoken):
        return None
    if known := find_authority(spoken):
        return known
    return next((found for form in _forms(spoken) if (found := _by_form(form))), None)


def identify_code(scheme: str, identifier: str) -> Authority | None:
    """Return the authority of an identifier: a GSS code in any scheme, or a code of the list GB-LAE.

    >>> identify_code("GB-LAE", "LDS").name
    'Leeds City Council'
    """
    code = identifier.strip().upper()
    if scheme.strip().upper() == "GB-LAE" or code.startswith("GB-LAE-"):
        return authority(_lae_codes().get(code.removeprefix("GB-LAE-"), ""))
    return authority(code.rsplit("-", 1)[-1])


def says_council(name: str) -> bool:
    """Return whether a name claims to be a principal council. An unknown one must not get a second identity."""
    spoken = _spoken(name)
    return bool(_COUNCIL_WORDS.search(spoken)) and not _SMALLER_COUNCIL.search(spoken)


def _spoken(name: str) -> str:
    unescaped = _BROKEN.sub(" ", html.unescape(html.unescape(name)).replace("ï¿½", ""))
    unescaped = re.sub("[\u2010-\u2015\u2212]", "-", unescaped)
    ascii_only = unicodedata.normalize("NFKD", unescaped).encode("ascii", "ignore").decode()
    return normalise_name(ascii_only).removeprefix("the ")


def _forms(spoken: str) -> Iterator[str]:
    yield spoken
    longer = " ".join(_SHIRES.get(word, word) for word in spoken.split())
    if longer != spoken:
        yield longer


def _by_form(form: str) -> Authority | None:
    """Return the one authority with the place and designation in this form of a name."""
    for place, designation in _readings(form):
        fitting = [found for found in _places().get(place, ()) if _fits(found, designation)]
        standing = [found for found in fitting if found.end is None]
        if len(standing) == 1:
            return standing[0]
        if not standing and len(fitting) == 1:
            return fitting[0]
    return None


def _readings(form: str) -> Iterator[tuple[str, str]]:
    """Split a name into (place, designation): first the whole as a place, then the most specific designation."""
    yield form, ""
    for suffix, designation in _SUFFIXES.items():
        if form.endswith(f" {suffix}"):
            place = form.removesuffix(f" {suffix}")
            yield place, designation
            for prefix, other in _PREFIXES.items():
                if place.startswith(f"{prefix} "):
                    yield place.removeprefix(f"{prefix} "), other if designation == "council" else designation
    for prefix, designation in _PREFIXES.items():
        if form.startswith(f"{prefix} "):
            yield form.removeprefix(f"{prefix} "), designation


def _fits(known: Authority, designation: str) -> bool:
    if designation == "county or city":
        return _fits(known, "county") or _fits(known, "city")
    return designation in ("", "council") or designation in _designations(known.code)


@cache
def _designations(code: str) -> frozenset[str]:
    """Return the customary designations of an authority."""
    known = authority(code)
    assert known is not None
    official = known.name.lower()
    county = known.code.startswith("E10")
    found = {word for word in ("city", "borough", "district", "county") if re.search(rf"\b{word}\b", official)}
    if known.code.startswith("E09"):
        found |= {"london", "borough"}
    elif known.code.startswith("E08"):
        found |= {"metropolitan", "borough", "district", "city"}
    elif known.code.startswith("W"):
        found |= {"county", "county borough", "borough"}
    elif known.code.startswith("N"):
        found |= {"borough", "district", "city"}
    elif not county and known.code.startswith("E0"):
        found |= {"borough", "district"}
    if "borough" in official:
        found.add("city")  # a borough that became a city keeps its borough name in many systems
    was_county = any(former.startswith("E10") for former in known.predecessors)
    if county or was_county or (known.code.startswith("E06") and not {"city", "borough"} & _words(official)):
        found.add("county")
    return frozenset(found)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text))


@cache
def _places() -> dict[str, tuple[Authority, ...]]:
    """Map each place name to the authorities named after it."""
    found: dict[str, dict[str, Authority]] = {}
    names = {row[0]: row[1].split("|") for row in read_rows("names.tsv")}
    others = {row[0]: row[1].split("|") for row in read_rows("other_names.tsv")}
    for known in authorities():
        for place in others.get(known.code, []):
            found.setdefault(place, {})[known.code] = known
        if known.code.startswith(("E47", "E61")) or known.code == "E09000001":
            continue  # combined authorities and the City of London use their full names only
        spoken = [normalise_name(known.name), normalise_name(known.short_name), *names.get(known.code, [])]
        for name in spoken:
            for place, _ in _readings(name.removeprefix("the ")):
                found.setdefault(place, {})[known.code] = known
    return {place: tuple(known.values()) for place, known in found.items()}


@cache
def _lae_codes() -> dict[str, str]:
    return {row[0]: row[1] for row in read_rows("lae_codes.tsv")}
