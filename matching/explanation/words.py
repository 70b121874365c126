# ruff: noqa: SIM905 (a word list reads better as a text)
"""The words that two texts share and that tell a reader something, as they are written: no fillers, routes to market or
place names."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from matching.features import CleanedTexts, Features
from matching.text.tokens import STOP_WORDS, remove_meanings, shared_terms, stem

_MAX_WORDS: Final = 8
_ASKED: Final = 12
_SHORTEST: Final = 4
# A regime of procurement law says nothing of the need.
_REGIME: Final = re.compile(r"(?i)\blight[- ]touch(?: regime)?\b|\bLTR\b")
_ROUTES: Final = frozenset({"dps", "lot", "lots", "competition", "call"})
# Purchasing bodies are no part of a need: "YPO insurance placement".
_BUYERS: Final = frozenset({"bnes", "ccs", "espo", "hcc", "kcs", "nepo", "tppl", "ypo"})
# Names and acronyms that authorities also write in small letters, or in a title that is all capitals.
_SPELLINGS: Final = {
    name.lower(): name
    for name in """
    Adobe ANPR CCTV Christmas Cisco CRM Easter EDRMS ERP GIS Google HGV HVAC Microsoft Oracle PPE UTC VCS
    """.split()
}
# A word keeps what joins it to the next, so that it is told as it is written: "re-roofing", "older people's day".
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9+#]*(?:'s\b)?-?|[0-9]+")
_BREAK: Final = re.compile(r"[^\w'+# -]+|\s-|-\s")

FILLERS: Final = frozenset(
    stem(word)
    for word in """
    able access acquiring across activity addition additional advice after agreed aim allow allowing also annual
    appoint appointment approach appropriate approximately area areas around aspects associated authority
    available award awarded awarding awards aware based basis behalf below benefit best beta better bid bnes board
    body borough brief bring britain british build building buildings business call care carry case ccs change
    choice choose city client code combined commission commissioning common community company competition complete
    completion comply comprehensive consist continue cost county cover covering create current currently customer
    data date day days dedicated deliver delivered delivering delivery department describe design designed detail
    details develop development different direct document documentation dps during duty dynamic east eastern
    effective efficient element eligible employ enable enabled end engage england english ensure ensuring
    environment equipment espo essential establish estate estimated evaluate evaluation event excluding existing
    expect experience experienced external facilities facility fidelity field first flexible following form
    framework free full fully function fund funded funding further future general give good government group half
    hcc help high home hour hours house humber identify impact implement improve include including increase
    independent independently individual information initial install installation intend interested internal
    invitation inviting involve issue item items itt join joint kcs keep key kind kingdom know large lead level
    limited line link list listed live local location london long look looked lot lots low made main maintain
    maintenance make manage managed management market material maximum meet member method midlands million mini
    minimum minor month months multiple national nature near necessary need needs nepo network next north northern
    number objective off offer office offs one ongoing online open operate operation opportunity option order
    owned part partner partners parts people per period person phase place plan planned planning platform please
    point policy portfolio potential pound pounds pqq practice prepare present previous price primary principal
    process product professional programme project projects property proposal proposed protect provide provided
    provider providers provides public purchase purchasing purpose qualified quality quotation quote range ready
    receipt receive record reduce reference regard region regular related relevant repair replace report request
    resident residents resource response responses responsibility responsible result review rfq right role route
    run safe safety schedule scheme scope scotland scottish second sector secure seek self serve service set
    several short significant single site sites small solution south southern spec special specialist specific
    specification specified sq staff stage standard start state strategy street strong subject submit successful
    successors suitable suitably support system systems take target task team technical temporary tender term test
    therefore thousand three time tool total town tppl train training two type types undertake undertaking unit
    update upwards user users value variety various vary visit wales ward way week weekly well welsh west western
    whole wide work working works year years yorkshire young ypo
    """.split()
)


def telling_words(a: Features, b: Features, synonyms: Mapping[str, str]) -> list[str]:
    """The most telling shared words, strongest first, as the first plan writes them. `synonyms`: of the policy. The
    meanings that they add to a text are not quoted."""
    written: dict[str, str] = {}
    for run in _runs(_unexpanded(a.texts, tuple(synonyms.values()))):
        for word in run:
            written.setdefault(_stem(word), _plain(word))
    shared = [s for s in shared_terms(a.all_terms, b.all_terms, _ASKED) if s in written and s not in FILLERS]
    return [written[s] for s in shared if len(written[s]) >= _SHORTEST or written[s].isupper()][:_MAX_WORDS]


def telling_phrases(a: Features, b: Features, synonyms: Mapping[str, str]) -> list[str]:
    """The telling words, each with its neighbours where both texts have the same: "personal protective equipment"."""
    meanings = tuple(synonyms.values())
    there = _phrases(_unexpanded(b.texts, meanings))
    common = [phrase for stems, phrase in _phrases(_unexpanded(a.texts, meanings)).items() if stems in there]
    said: list[tuple[str, ...]] = []
    for word in telling_words(a, b, synonyms):
        if not any(word.lower() in (_plain(one).lower() for one in phrase) for phrase in said):
            around = (phrase for phrase in common if word in map(_plain, phrase) and not _is_filler(phrase[0]))
            said.append(_with_filler_before(max(around, key=len, default=(word,)), common))
    return [_plain(" ".join(phrase).replace("- ", "-")) for phrase in said]


def _with_filler_before(phrase: tuple[str, ...], common: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The phrase with the filler that stands before it in both texts: "data centre exit" is a word short without."""
    if len(phrase) == 1:
        return phrase
    longer = (one for one in common if one[1:] == phrase and _plain(one[0]).lower() not in _BUYERS)
    return next(longer, phrase)


def is_evidence(phrase: str) -> bool:
    """Whether a phrase says something by itself: words that stand together, or an acronym."""
    return " " in phrase or "-" in phrase or _is_acronym(phrase)


def is_told(phrase: str, need: str) -> bool:
    """Whether a phrase says nothing that the name of the need does not say."""
    return all(_is_filler(word) or word.lower() in need.lower() for word in re.split(r"[ -]", phrase))


# A plan is explained beside all its partners in turn: so this, its runs and its phrases are kept.
@lru_cache(maxsize=1000)
def _unexpanded(texts: CleanedTexts, meanings: tuple[str, ...]) -> CleanedTexts:
    return CleanedTexts(remove_meanings(texts.title, meanings), remove_meanings(texts.body, meanings))


@lru_cache(maxsize=1000)
def _runs(texts: CleanedTexts) -> tuple[tuple[str, ...], ...]:
    """The words of a plan as it writes them, cut at stop words, numbers and punctuation."""
    found: list[tuple[str, ...]] = []
    # In a title that is all capitals, capitals do not mark an acronym.
    shouted = texts.title.isupper()
    for text in (texts.title, texts.body):
        for part in _BREAK.split(_REGIME.sub(";", text)):
            run: list[str] = []
            for word in _WORD.findall(part):
                if _plain(word).lower() in STOP_WORDS or len(_plain(word)) == 1 or word.isdigit():
                    found.append(tuple(run))
                    run = []
                else:
                    run.append(_spelling(word, shouted))
            found.append(tuple(run))
    return tuple(run for run in found if run)


def _spelling(word: str, shouted: bool) -> str:
    known = _SPELLINGS.get(_plain(word).lower())
    if known:
        return known + word[len(known) :]
    return word if _is_acronym(_plain(word)) and not shouted else word.lower()


def _is_acronym(word: str) -> bool:
    return word.removesuffix("s").isupper() and len(word) < 6


def _plain(word: str) -> str:
    return word.removesuffix("-").removesuffix("'s")


def _stem(word: str) -> str:
    return stem(_plain(word).lower())


def _is_filler(word: str) -> bool:
    return _stem(word) in FILLERS


@lru_cache(maxsize=1000)
def _phrases(texts: CleanedTexts) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Every two to four neighbouring words, by their stems, that do not end in a route to market."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for run in _runs(texts):
        stems = tuple(map(_stem, run))
        for length in (2, 3, 4):
            for first in range(len(run) - length + 1):
                if _plain(run[first + length - 1]).lower() not in _ROUTES:
                    found.setdefault(stems[first : first + length], run[first : first + length])
    return found
