"""Reads from a plan's words whether the purchase serves one site, several, the estate, the area or others."""

import re
from enum import StrEnum
from itertools import pairwise
from typing import Final

from matching.plan import Plan
from matching.text.cleaning import squeeze, tidy


class Scope(StrEnum):
    """The part of itself for which an authority buys."""

    SITE = "site"
    SITES = "sites"
    ESTATE = "estate"
    AREA = "area"
    OTHERS = "others"
    """Not the authority itself, but members of its insurance scheme: academies, leaseholders."""


_OPENING: Final = 400
"""The number of characters of a description that are read: later sentences name places for other reasons."""

_PLACES: Final = (
    r"(?:schools|sites|locations|buildings|properties|premises|parks|libraries|leisure centres|car parks|play areas|"
    r"playgrounds|care homes|dwellings|homes|depots|offices)"
)
_SOME: Final = re.compile(
    r"\b(?:various|multiple|several|some|selected|numerous|(?:range|number) of)(?: of)? "
    rf"(?:[\w'-]+ ){{0,4}}{_PLACES}\b",
    re.I,
)
_COUNTED: Final = re.compile(
    r"\b(?:\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|twelve) (?:plus )?(?:[A-Za-z']+ ){0,2}"
    r"(?:schools|sites|locations|libraries|leisure centres|car parks|play areas|playgrounds|care homes|offices)\b",
    re.I,
)
_AREA: Final = re.compile(
    r"\b(?:borough|county|city|district|town|island)[- ]?wide\b"
    r"|\bacross (?:the |its |our )?(?:whole |entire )?(?:borough|county|city|district)\b",
    re.I,
)
_ESTATE: Final = re.compile(
    r"\bestate[- ]?wide\b|\bacross (?:the |its |our )?(?:whole |entire )?(?:council |corporate )?estate\b"
    r"|\b(?:all|every)(?: of)?(?: the| its| our)? (?:(?:council|maintained|local authority|authority|corporate|public|"
    r"primary|secondary|borough|county|city|district)(?:'?s)? ){0,2}(?:schools?|sites?|libraries|leisure centres|"
    r"car parks|parks|public buildings|(?:council|corporate|authority) (?:buildings|properties|premises))\b"
    r"|\b(?:entire|whole|total|corporate) (?:property |housing )?(?:estate|portfolio|stock)\b"
    rf"|\bcorporate (?:property|{_PLACES})\b|\bcouncil'?s? housing stock\b|\bpublic buildings\b"
    r"|\b(?:council|authority)'?s? (?:owned )?(?:sites|buildings|properties|premises)\b",
    re.I,
)

# Only insurance is bought for members alone: other purchases for academies or leaseholders serve the rest as well.
_INSURANCE: Final = re.compile(r"\binsurances?\b|(?<!\bsupply )\bcover\b(?! (?:supervisors?|teachers?)\b)", re.I)
_OTHERS: Final = re.compile(
    r"\b(?:academies|(?:multi[- ])?academy trusts|leaseholders?'?"
    r"|schools'? (?:[\w']+ ){0,2}(?:insurance|cover|scheme)"
    r"|(?:insurance|cover|scheme) for (?:[\w']+ ){0,3}schools)(?!\w)",
    re.I,
)
_OWN_TOO: Final = re.compile(
    r"\bschools,? (?:and|&) (?:[\w']+ )?academies\b|\bacademies,? (?:and|&) (?:[\w']+ )?schools\b"
    r"|\btenants,? (?:and|&) leaseholders\b|\bleaseholders,? (?:and|&) tenants\b",
    re.I,
)

# Words before a kind of place that name no place: in a title every word may have a capital.
_COMMON: Final = (
    r"(?i:a|an|and|any|the|of|for|in|at|to|on|by|or|with|from|between|within|off|no|not|new|home|local|car|open|public|"
    r"council|city|town|county|borough|district|all|after|various|existing|former|proposed|future|play|ball|tennis|high|"
    r"junior|toddler|street|road|school|academy|house|library|museum|park|cycle|bus|coach|rail|safe|our|your|its|their|"
    r"each|every|contract|services?|care|day|designs?|repairs?|works?|supply|sites?|family|mobile|supported|sheltered|"
    r"tower|empty|private|minor|major|primary|secondary|special|independent|infant|nursery|leisure|sports|community|"
    r"retail|business|style|highways?|footpath|heavy|light|mechanical|dual|uk|gb|hm|magistrates|crown|coroners?|data|"
    r"young|people'?s|children'?s|nhs|national|healthy|big|great|small|large|replacement|refurbishments?|maintenance|"
    r"cleaning|catering|improvements?|provision|management|purchase|electric|inspections?|principal|structural|"
    r"electronic|digital|online|tender|quotation|quote|framework|award|art|traffic|housing|estate|rural|urban|"
    r"residential|nursing|buildings?|extra|waste|music|summer|free|lots?|phase|stage|plot|units?|riba|countywide)"
)
_NAME: Final = rf"(?!{_COMMON}\b)[A-Z][A-Za-z'.]*"
_KIND: Final = (
    r"(?i:(?:primary|secondary|infants?|junior|high|grammar|special|nursery) (?:school|academy)"
    r"|(?:leisure|sports|shopping|community|day care|care|arts|enterprise|investment|heritage|visitor) centre"
    r"|(?:country |retail |office )?park|recreation ground|playing fields?|cemetery|gardens|square|town hall"
    r"|bus station|railway station|museum|theatre|church|castle|central library|market hall"
    r"|house|hall|court|lodge|close|mill|pavilion|baths|quay|pier|depot"
    r"|street|road|lane|avenue|drive|terrace|bridge|roundabout|junction)"
)
# Words after a kind of place with which it names a subject: "street lighting", "high street fund".
_SUBJECT: Final = (
    r"(?i:transport\w*|management|systems?|lighting|markings?|studs?|signs?|sweepers?|cleansing|meals?|uniforms?|"
    r"restraint|benches|safety|traffic|planing|surfacing|fund|funds|framework|inspections?|website)"
)
_NAMED: Final = re.compile(rf"\b{_NAME} (?:(?!{_COMMON}\b)[A-Za-z][\w'.]* )?{_KIND}\b(?! {_SUBJECT}\b)")
_AT_SCHOOL: Final = re.compile(
    rf"\b(?i:at|for) (?:{_NAME} ){{1,3}}(?i:school|academy|college|library)\b(?! {_SUBJECT}\b)"
)
# Places that a council has once, so that they need no name.
_ONLY: Final = re.compile(
    r"\b(?:(?:town|city|county|shire) hall|civic (?:centre|offices?)|guildhall|crematorium)\b", re.I
)
_AND: Final = re.compile(r" (?:and|&) (?:the )?", re.I)
_POSTCODE: Final = re.compile(r"\b[A-Z]{1,2}\d{1,2}[A-Z]? ?\d[A-Z]{2}\b")


def scope_of(plan: Plan) -> Scope | None:
    """The scope of a purchase, None if the words tell none. The title counts before the description.

    Only a title names one site: descriptions name places for many other reasons, such as where to send the bids.
    """
    title = squeeze(tidy(plan.title))
    if _INSURANCE.search(title) and _OTHERS.search(title) and not _OWN_TOO.search(title):
        return Scope.OTHERS
    return _told(title) or _named(title) or _told(squeeze(tidy(plan.description[:_OPENING])))


def _told(text: str) -> Scope | None:
    """The scope by words for several or all places; "various council buildings" are several."""
    kinds = ((_SOME, Scope.SITES), (_ESTATE, Scope.ESTATE), (_AREA, Scope.AREA), (_COUNTED, Scope.SITES))
    return next((scope for told, scope in kinds if told.search(text)), None)


def _named(title: str) -> Scope | None:
    """One site if the title names one place, several if it joins the names of two."""
    names = list(_NAMED.finditer(title))
    between = [title[one.end() : other.start()] for one, other in pairwise(names)]
    if len(names) > 2 or any(_AND.fullmatch(text) for text in between):
        return Scope.SITES
    single = names or _ONLY.search(title) or _POSTCODE.search(title) or _AT_SCHOOL.search(title)
    return Scope.SITE if single else None
