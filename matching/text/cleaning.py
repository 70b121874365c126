# ruff: noqa: SIM905 (a word list reads better as a text)
"""Removes text from a notice that does not describe the requirement: portal instructions, procedure, names of places.

Boilerplate is the largest risk when comparing notices: shared clauses make unrelated notices look alike. The result
describes the authority's need in plain words. Every rule is general: none targets a single notice.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from matching import reference

MAXIMUM_CHARACTERS = 20_000

# Place names that are also everyday words: they count as places only next to a council word.
_EVERYDAY = frozenset(
    """
    bath reading bury hart down rugby barking wells deal sale eye ware well highland midlands test forest north
    south east west central england scotland wales boston lincoln lancaster
    """.split()
)
_COUNCIL_WORDS = frozenset(
    """
    city county borough district metropolitan town parish unitary combined royal london the of and council councils
    authority cc bc dc mbc cbc countys
    """.split()
)
# Every repetition is bounded, so that no text, however odd, takes long.
_URL = re.compile(
    r"https?://\S+|www\.\S+|\b[\w-]{1,63}\.(?:org|gov|co|com|net|uk|nhs|ac)(?:\.\w{1,63}){0,5}(?:/\S*)?", re.I
)
_MAIL = re.compile(r"[^\s@]{1,64}@\S+")
_REFERENCE = re.compile(
    r"\b(?=[A-Za-z/_-]{0,20}\d)(?=[\d/_-]{0,20}[A-Za-z])"
    r"[A-Za-z]{1,8}[A-Za-z0-9]{0,20}[-/_ ]?\d{3,20}[A-Za-z0-9/_-]{0,30}\b"
    r"|\b[A-Z]{2,10}(?:/[A-Z0-9]{1,20}){2,6}\b"
    r"|\b\d{2,10}[/_-]\d{1,10}[\w/_-]{0,30}\b|\b[A-Z]{1,2}\d{1,2} ?\d[A-Z]{2}\b|\b\d{4,30}\b"
)
_DATE = re.compile(
    r"\b\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:january|february|march|april|may|june|july|august|september|october|"
    r"november|december)(?: \d{4})?\b|\b(?:19|20)\d\d(?:[-/](?:19|20)?\d\d)?\b",
    re.I,
)
_PROCEDURE = re.compile(
    r"register(?:ing)? (?:their|your|an|for) (?:interest|expression)|expressions? of interest|closing date|deadline|"
    r"full specification and|tender documents?\b|tender documentation|procurement portal|e-?tendering|e-?sourcing|"
    r"via the chest|the chest at|yortender|proactis|in-?tend\b|delta ?e-?sourcing|due north|public contracts scotland|"
    r"most economically advantageous|award(?:ed)? (?:criteria|notice)|standstill|lowest price|weighted|"
    r"reserves? the right|regulation \d+|directive|mandatory (?:grounds|exclusion)|grounds for exclusion|"
    r"option to extend|extension (?:of|period|option)|initial (?:term|period)|period of (?:up to )?(?:\w+|\d+) "
    r"(?:\(\d+\) )?(?:years?|months?|weeks?)|contract (?:will|shall|is due to|is expected to) "
    r"(?:commence|start|begin|run|be for)|commenc\w+ (?:on|in|from)|anticipated that the contract|"
    r"tupe\b|living wage|social value|modern slavery|freedom of information|community benefit|"
    r"successful (?:tenderer|bidder|contractor|supplier|provider|organisation)s?|"
    r"(?:bidders?|tenderers?|applicants?|suppliers?) (?:should|must|will|are|is|may|shall|who|can)\b|"
    r"further (?:detailed )?information|for more information|for details|please (?:note|see|contact|refer|visit)|"
    r"contracting authority (?:is|are) |this (?:notice|opportunity|tender|advert) |"
    r"division into lots|(?:estimated|total|annual|contract) (?:contract )?value|budget|"
    r"any questions|clarification|submi(?:t|ssion)|contact details|sub-?contract|consorti",
    re.I,
)
_LEAD_IN = re.compile(
    r"^(?:the )?(?:[\w' .&,()\"-]{0,90}? )?(?:"
    r"(?:is|are|was|were)? ?(?:currently |now |also )?(?:seeking|looking|wish(?:es|ing)?|require[sd]?|intend(?:s|ing)?|"
    r"inviting|invit(?:es|ed)|proposing|planning|procuring|tendering|sought|seeks?|need(?:s|ing)?|invites?|"
    r"has awarded|have awarded|is awarding|has appointed)"
    r"(?: (?:to|a|an|the|for|from|on|by|with|and|or|of|into|in|that|which|its|their|our|awarded|award|let|have|has|"
    r"tenders?|quotations?|quotes?|bids?|offers?|suitabl[ey]|qualified|experienced|competent|capable|organisations?|"
    r"organisation|contractors?|contractor|suppliers?|supplier|providers?|provider|compan(?:y|ies)|firms?|"
    r"partners?|consultants?|bidders?|procure|appoint|commission|purchase|establish|enter|put|place|engage|secure|"
    r"obtain|contract|contracts|agreement|framework|provision|supply|delivery|undertake|deliver|provide|carry|out|"
    r"resources?,?|capabilit(?:y|ies),?|capacity|sufficient|suitable|ability|necessary|single|one|new|suitably|"
    r"interested|parties|who|can|are|is|be|will|appropriately|multiple|number|range|up|tender|opportunity))+)+ ",
    re.I,
)
_COUNCIL = re.compile(r"\b(?:county|city|borough|district|metropolitan|parish|town) councils?\b(?:'s)?", re.I)
_TITLE_NOISE = re.compile(
    r"\b(?:invitations? to (?:tender|quote)(?: for)?|request for (?:quotations?|quotes?|proposals?|information|"
    r"tenders?)(?: for)?|(?:open )?tender(?:s)? for|tender|quotations? for|quotation|quotes? for|rfq|itq|itt|rfi|pin|"
    r"prior information notice|contract award(?: notice)?|award notice|award of|early market engagement|"
    r"soft ?market (?:testing|test)|market (?:testing|engagement|sounding|consultation)|expressions? of interest|"
    r"contracts? for|(?:call[- ]?off )?contracts?|procurement of|re-?procurement|re-?tender|mini[- ]?competition|"
    r"further competition|direct award|competition|dynamic purchasing systems?|dps|"
    r"framework agreements?(?: for)?|frameworks?|agreements? for|agreement|"
    r"(?:the )?provision (?:of|for|and)|the (?:supply|delivery) of|appointment of|concession|"
    r"lots? (?:\d+|[a-z]|[ivx]+)\b|phase (?:\d+|[ivx]+)\b|stage (?:\d+|[ivx]+)\b|gb-|uk-|no\.? ?\d+|ref\.?:?|"
    r"uk sbs|nepo|lps|espo|ypo|ccs)\b",
    re.I,
)
# Central purchasing bodies often put their initials in front of the title: HCC, TPPL, GB-Preston.
_BUYER = re.compile(
    r"^GB-[A-Z][\w' -]{1,40}:|\b[A-Z]{1,4}(?:CC|BC|DC|MBC|LBC)\b|\b(?:TPPL|LPS (?:CORP|CARE|CAS|DEV)|CORP|CPU)\b"
)
_STATE = re.compile(r"\b(?:ojeu(?: notice)?|re-?issue|re-?advertis\w{2,5})\b|[-:] (?:contract )?award$", re.I)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z0-9\"'(*-])|[\n\r\u2022]+|\s+[-*]\s+(?=[A-Z])")
_WORDS = re.compile(r"[^\W_]+(?:['&.+-][^\W_]+)*", re.UNICODE)


@dataclass(frozen=True, slots=True)
class RequirementText:
    """The requirement in plain words: `title` (never empty unless the plan's is) and `body` (may be empty)."""

    title: str
    body: str


def tidy(text: str) -> str:
    """Normalise Unicode and white space, and repair question marks that stand for lost quotes and dashes."""
    text = unicodedata.normalize("NFKC", text[:MAXIMUM_CHARACTERS])
    text = re.sub(r"(?<=\w)\?(?=s\b)", "'", text)
    text = re.sub(r"(?<=\s)\?(?=\s|\w)", "-", text)
    text = re.sub(r"(?<=\w)\?(?=\w)", " ", text)
    text = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-"})
    text = "".join(c if c in "\n\r\t" or c.isprintable() else " " for c in text)
    return re.sub(r"\s+", lambda gap: "\n" if "\n" in gap.group() or "\r" in gap.group() else " ", text)


def squeeze(text: str) -> str:
    """Return the text on one line with single spaces and no stray punctuation at either end."""
    return re.sub(r"\s+", " ", text).strip(" \t\n-,;:./|_&()'\"*")


@cache
def _places() -> dict[str, list[tuple[str, ...]]]:
    """Names of authorities and regions by first word, longest first, as tuples of lower-case words."""
    names: set[str] = set()
    for known in reference.authorities():
        names |= set(reference.names_of(known.code))
        names.add(reference.normalise_name(known.short_name))
    names |= {reference.normalise_name(re.sub(r"\(.*\)", "", r.name)) for r in reference.regions()}
    names |= {"uk", "england", "scotland", "wales", "northern ireland", "united kingdom", "great britain"}
    found: dict[str, list[tuple[str, ...]]] = {}
    for name in names:
        words = tuple(w for w in name.split() if w)
        if words and (len(words) > 1 or len(words[0]) > 3):
            found.setdefault(words[0], []).append(words)
    return {first: sorted(group, key=len, reverse=True) for first, group in found.items()}


def strip_places(text: str, own: tuple[str, ...] = ()) -> str:
    """Return the text without names of authorities and regions, and without adjacent council words."""
    words = list(_WORDS.finditer(text))
    plain = [reference.normalise_name(re.sub(r"'s?$", "", m.group())) for m in words]
    mine = {tuple(name.split()) for name in own}
    spans: list[tuple[int, int]] = []
    at = 0
    while at < len(words):
        length = _place_at(text, words, plain, at, mine)
        if length:
            start, end = _beside(text, words, plain, at, at + length - 1)
            start = max(start, spans[-1][1] if spans else 0)
            if start < end:
                spans.append((start, end))
        at += length or 1
    for start, end in reversed(spans):
        text = text[:start] + " " + text[end:]
    return _COUNCIL.sub(" ", text)


def _beside(text: str, words: list[re.Match[str]], plain: list[str], first: int, last: int) -> tuple[int, int]:
    """Return the start and end of a name, including adjacent council words (`the City of X Council's`)."""

    def touch(left: int) -> bool:
        return text[words[left].end() : words[left + 1].start()].isspace()

    while first > 0 and plain[first - 1] in _COUNCIL_WORDS and touch(first - 1):
        first -= 1
    while last + 1 < len(words) and plain[last + 1] in _COUNCIL_WORDS and touch(last):
        last += 1
    return words[first].start(), words[last].end()


def _place_at(text: str, words: list[re.Match[str]], plain: list[str], at: int, mine: set[tuple[str, ...]]) -> int:
    """Return the number of words from here that form a place name; 0 if none starts here."""
    for name in _places().get(plain[at], ()):
        if tuple(plain[at : at + len(name)]) != name:
            continue
        if name in mine:
            return len(name)
        written = words[at].group()[:1].isupper()
        if len(name) == 1 and name[0] in _EVERYDAY:
            beside = text[words[at].end() : words[at].end() + 12].lower()
            written = written and bool(re.match(r"\s+(?:city|borough|council|district|county)", beside))
        if written:
            return len(name)
    return 0


def sentences(text: str) -> list[str]:
    """Return the sentences and list items of a tidied text, in order, none empty."""
    return [s for s in (squeeze(part) for part in _SENTENCE.split(text)) if s]


def clean(title: str, description: str, own: tuple[str, ...] = ()) -> RequirementText:
    """Remove boilerplate, references, dates, links and places from title and body. Not strictly idempotent.

    `own`: the normalised names of the plan's authority.
    """
    every = sentences(tidy(description))
    # A one-sentence notice often mixes the need and the bidding instructions: better to keep it than to have nothing.
    kept = [s for s in every if not _PROCEDURE.search(s)] or every[:1]
    bare = (_requirement(s, own) for s in kept)
    return RequirementText(clean_title(title, own), " ".join(f"{s}." for s in bare if len(s.split()) >= 3))


def clean_title(title: str, own: tuple[str, ...] = ()) -> str:
    """Return the title without references, form of procurement and places; the tidied title if nothing would be
    left."""
    plain = squeeze(tidy(title))
    bare = _bare(_STATE.sub(" ", plain.replace("_", " ")), own)
    bare = squeeze(
        re.sub(r"\b(?:for|of|to|by|at|in|on|and|the|a|an|with)\s*$", "", _TITLE_NOISE.sub(" ", bare), flags=re.I)
    )
    bare = squeeze(re.sub(r"^(?:(?:for|of|to|by|and|the|a|an|with|from)\s+)+", "", bare, flags=re.I))
    return bare if re.search(r"[a-z]{3}", bare, re.I) else plain


def _requirement(sentence: str, own: tuple[str, ...]) -> str:
    return squeeze(_LEAD_IN.sub("", _bare(sentence, own) + " ", count=1))


def _bare(text: str, own: tuple[str, ...]) -> str:
    for noise in (_URL, _MAIL, _DATE, _REFERENCE, _BUYER):
        text = noise.sub(" ", text)
    return squeeze(strip_places(text, own))
