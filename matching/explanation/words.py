# ruff: noqa: SIM905 (a word list reads better as a text)
"""The words that two texts share and that say something to a reader: as they are written, without fillers."""

import re
from typing import Final

from matching.features import Features
from matching.text.tokens import shared_terms, stem

_MAX_WORDS: Final = 8
_ASKED: Final = 12
_SHORTEST: Final = 4

FILLERS: Final = frozenset(
    stem(word)
    for word in """
    able access across activity additional advice after agreed aim allow also annual appoint appointment approach
    appropriate approximately area areas around aspects associated authority available award awards aware based
    basis benefit best better bid board body bring building buildings business call care carry case change city
    client code commission commissioning common community company complete comprehensive consist continue cost
    cover covering create current currently customer data date day days dedicated deliver delivered delivering
    delivery department describe design designed detail details develop development different direct document duty
    effective efficient element employ enable end engage ensure ensuring environment equipment essential establish
    estate estimated evaluate evaluation event existing expect experience external facilities facility field first
    flexible following form framework free full fully function fund funded funding further future general give
    good government group half help high home hour hours house identify impact implement improve include increase
    individual information initial install installation intend internal invitation involve issue item items join
    joint keep key kind know large lead level limited line link list live local location long look looked lot lots
    low main maintain maintenance make manage managed management market material maximum meet member method
    million minimum minor month months multiple national nature near necessary need needs network number objective
    offer office ongoing online open operate operation option order part partner partners parts people per period
    person phase place plan planned planning platform point policy potential pound pounds practice present
    previous price primary principal process product professional programme project projects property proposal
    proposed protect public purchase purpose qualified quality quotation quote range ready receive record reduce
    reference regard region regular related relevant repair replace report request resident residents resource
    responsible result review right role route run safe safety schedule scheme scope second sector secure seek
    self service set several short significant single site sites small solution special specialist specific
    specification specified staff stage standard start state strategy street strong subject successful suitable
    support system systems take target task team technical tender term test thousand time tool total town train
    training type types unit update user users value various vary visit ward way week weekly well whole wide work
    working works year years young
    """.split()
)


def telling_words(a: Features, b: Features) -> list[str]:
    """The shared words that decided most and say something, strongest first, as the first plan writes them."""
    written: dict[str, str] = {}
    for word in re.findall(r"[A-Za-z][A-Za-z0-9+#]*", f"{a.texts.title} {a.texts.body}"):
        # All capitals in a title of capitals is no acronym.
        spelled = word if word.isupper() and len(word) < 6 and not a.texts.title.isupper() else word.lower()
        written.setdefault(stem(word.lower()), spelled)
    shared = [s for s in shared_terms(a.all_terms, b.all_terms, _ASKED) if s in written and s not in FILLERS]
    return [written[s] for s in shared if len(written[s]) >= _SHORTEST or written[s].isupper()][:_MAX_WORDS]
