"""Which authority a notice's buyer is: by identifier where it is an ONS code, else by name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from matching import reference
from services.publisher.reading import Options, RefusedError, org_id
from services.publisher.untyped import Object, obj, objects, text


@dataclass(frozen=True, slots=True)
class Buyer:
    """A release's buyer: its name and identifier as given, and the authority's code where it is known."""

    name: str
    identifier: str
    code: str | None


def buyer_of(release: Object) -> Buyer:
    """Who buys. Raises RefusedError where the release names nobody."""
    named = obj(release.get("buyer"))
    party = _party(release, named)
    names = [text(named.get("name")), text(party.get("name")), text(obj(party.get("identifier")).get("legalName"))]
    identifier = text(named.get("id")) or text(party.get("id"))
    name = next((name for name in names if name), "")
    if not name and not identifier:
        raise RefusedError("buyer", "is missing: the release doesn't say who buys")
    return Buyer(name, identifier, _known(party, identifier, names))


def authority_of(buyer: Buyer, options: Options, *, only_stranger: bool) -> str:
    """The code under which the buyer's plans are published. Raises RefusedError with what to do where there is none.

    `only_stranger`: the file names no other buyer that is unknown, so that `--authority` can only mean this one.
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
    if options.unknown_buyers == "org-id" and (code := org_id(buyer.identifier)):
        return code
    raise RefusedError("buyer", f"'{buyer.name[:120]}' is not a local authority known by this name; {_advice(buyer)}")


def _advice(buyer: Buyer) -> str:
    by_hand = "say whose plan it is with --authority CODE"
    if org_id(buyer.identifier):
        return f"{by_hand}, or publish it as {buyer.identifier[:80]} with --unknown-buyers org-id"
    return f"{by_hand} (its identifier, '{buyer.identifier[:80]}', means nothing outside this file)"


def standing(authority: reference.Authority) -> str:
    """The authority's code, or its successor's where it has ceased and exactly one took over."""
    if authority.end and len(authority.successors) == 1:
        return authority.successors[0]
    return authority.code


def _party(release: Object, named: Object) -> Object:
    parties = list(objects(release.get("parties")))
    same = [party for party in parties if named.get("id") is not None and party.get("id") == named.get("id")]
    buying = [party for party in parties if isinstance(party.get("roles"), list) and "buyer" in party["roles"]]
    return next(iter(same or (buying if len(buying) == 1 else [])), {})


def _known(party: Object, identifier: str, names: list[str]) -> str | None:
    for candidate in _identifiers(party, identifier):
        if known := reference.authority(candidate):
            return standing(known)
    for name in names:
        for form in (name, *_shorter(name)):
            if form and (known := reference.find_authority(form)):
                return standing(known)
    return None


def _shorter(name: str) -> Iterator[str]:
    """The name without what buyers add to it ("Leeds City Council - Procurement"), if it still says council:
    "Kent (Mental Health) Trust" is not Kent."""
    for short in (name.split(" - ")[0], name.split("(")[0]):
        if re.search(r"\b(council|borough|corporation)\b", short, re.IGNORECASE):
            yield short


def _identifiers(party: Object, identifier: str) -> Iterator[str]:
    yield identifier.rsplit("-", 1)[-1]
    yield text(obj(party.get("identifier")).get("id"))
    for other in objects(party.get("additionalIdentifiers")):
        yield text(other.get("id"))
