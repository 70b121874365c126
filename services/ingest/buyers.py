"""Maps a notice's buyer to an authority: by a public code, by its name, or by an identifier used elsewhere in the
file."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from matching import reference
from matching.reference import authority_names
from services.ingest.entries import Options, RefusedError, org_id_code
from services.ingest.loose_json import Object, as_object, as_objects, as_text


@dataclass(frozen=True, slots=True)
class Buyer:
    """A release's buyer: its name and identifier as given, and the authority's code if known."""

    name: str
    identifier: str
    code: str | None


Learned = Mapping[str, str]
"""Authority codes by organisation identifier (`GB-PPON-...`), learnt from other notices of the same buyer."""


def learn_identifiers(releases: Iterable[Object]) -> Learned:
    """Learn authority codes by organisation identifier from the buyers that a file names by name or public code. An
    identifier of two authorities maps to neither."""
    learned: dict[str, str] = {}
    contested: set[str] = set()
    for release in releases:
        for party in as_objects(release.get("parties")):
            names = [as_text(party.get("name")), as_text(as_object(party.get("identifier")).get("legalName"))]
            if code := _known(party, as_text(party.get("id")), names, {}):
                for identifier in map(_full_identifier, _identifiers(party, as_text(party.get("id")))):
                    if learned.setdefault(identifier, code) != code:
                        contested.add(identifier)
    return {identifier: code for identifier, code in learned.items() if identifier and identifier not in contested}


def buyers_of(release: Object, learned: Learned | None = None) -> list[Buyer]:
    """Return the buyers, the lead first; a joint notice names several, each returned once. Without a buyer, return the
    procuring entity. Raises RefusedError if the release names nobody."""
    lead, tender = as_object(release.get("buyer")), as_object(release.get("tender"))
    parties = list(_in_role(release, "buyer"))
    named = [lead, *(as_object(party) for party in parties)] if lead else parties
    if not named:
        named = list(_in_role(release, "procuringEntity")) or [as_object(tender.get("procuringEntity"))]
    buyers: dict[str, Buyer] = {}
    for one in named:
        buyer = _buyer(release, one, learned or {})
        if buyer.name or buyer.identifier:
            buyers.setdefault(buyer.code or buyer.identifier or buyer.name, buyer)
    if not buyers:
        raise RefusedError("buyer", "is missing: the release doesn't say who buys")
    return list(buyers.values())


def _buyer(release: Object, named: Object, learned: Learned) -> Buyer:
    party = _party(release, named)
    names = [
        as_text(named.get("name")),
        as_text(party.get("name")),
        as_text(as_object(party.get("identifier")).get("legalName")),
    ]
    identifier = as_text(named.get("id")) or as_text(party.get("id"))
    return Buyer(next((name for name in names if name), ""), identifier, _known(party, identifier, names, learned))


def authority_of(buyer: Buyer, options: Options, *, only_stranger: bool) -> str:
    """Return the code under which the buyer's plans are published. Raises RefusedError with the remedy if there is
    none.

    `only_stranger`: the file names no other unknown buyer, so `--authority` must mean this one.
    """
    if buyer.code:
        if options.authority and buyer.code != options.authority:
            raise RefusedError("buyer", f"is {buyer.name} ({buyer.code}), not {options.authority} as --authority says")
        return buyer.code
    if options.authority:
        if only_stranger:
            return options.authority
        raise RefusedError(
            "buyer",
            f"'{buyer.name}' is not known, and neither are others in this file: --authority can't mean them all",
        )
    council = authority_names.says_council(buyer.name)
    if options.unknown_buyers == "org-id" and not council and (code := org_id_code(buyer.identifier)):
        return code
    raise RefusedError("buyer", f"'{buyer.name[:120]}' is not a local authority known by this name; {_advice(buyer)}")


def _advice(buyer: Buyer) -> str:
    by_hand = "say whose plan it is with --authority CODE"
    if authority_names.says_council(buyer.name):
        return f"{by_hand}: a council has one code, and a second identity would match it with itself"
    if org_id_code(buyer.identifier):
        return f"{by_hand}, or publish it as {buyer.identifier[:80]} with --unknown-buyers org-id"
    return f"{by_hand} (its identifier, '{buyer.identifier[:80]}', means nothing outside this file)"


def current_code(authority: reference.Authority) -> str:
    """Return the authority's code. If the authority was abolished and exactly one took over, return its successor's."""
    if authority.end and len(authority.successors) == 1:
        return authority.successors[0]
    return authority.code


def _party(release: Object, named: Object) -> Object:
    parties = list(as_objects(release.get("parties")))
    same = [party for party in parties if named.get("id") is not None and party.get("id") == named.get("id")]
    buying = list(_in_role(release, "buyer"))
    return next(iter(same or (buying if len(buying) == 1 else [])), named)


def _in_role(release: Object, role: str) -> Iterator[Object]:
    for party in as_objects(release.get("parties")):
        if isinstance(roles := party.get("roles"), list) and role in roles:
            yield party


def _known(party: Object, identifier: str, names: list[str], learned: Learned) -> str | None:
    identifiers = list(_identifiers(party, identifier))
    for scheme, code in identifiers:
        if known := authority_names.identify_code(scheme, code):
            return current_code(known)
    for name in names:
        if known := identify_name(name):
            return current_code(known)
    return next((learned[full] for full in map(_full_identifier, identifiers) if full in learned), None)


def identify_name(name: str) -> reference.Authority | None:
    """Return the authority with this name, even with a department after it ("Leeds City Council - Procurement")."""
    forms = (name, *without_suffix(name))
    return next((known for form in forms if form and (known := authority_names.identify(form))), None)


def without_suffix(name: str) -> Iterator[str]:
    """Strip additions such as a department ("Leeds City Council - Procurement"), if the rest still says council: "Kent
    (Mental Health) Trust" is not Kent."""
    for short in (name.split(" - ")[0], name.split("(")[0], name.split(",")[0]):
        if short != name and re.search(r"\b(council|borough|corporation|cyngor|MBC|CC|LB)\b", short, re.IGNORECASE):
            yield short


def _identifiers(party: Object, identifier: str) -> Iterator[tuple[str, str]]:
    """Return every identifier of a party as (scheme, identifier); the scheme is empty if it is part of the
    identifier."""
    yield "", identifier
    for other in (as_object(party.get("identifier")), *as_objects(party.get("additionalIdentifiers"))):
        yield as_text(other.get("scheme")), as_text(other.get("id"))


def _full_identifier(identifier: tuple[str, str]) -> str:
    """Return an identifier with its scheme (`GB-PPON-...`); empty for one without meaning outside its file."""
    scheme, code = identifier
    full = code if not scheme or code.startswith(f"{scheme}-") else f"{scheme}-{code}"
    return org_id_code(full) or ""
