# ruff: noqa: SIM905 (a word list reads better as a text)
"""What the benchmark's plans say: needs named by rare and invented words amid commonplace ones, at realistic length.

Every sentence here was written for this; nothing is taken from a notice. Only the lengths follow real ones. The words
that tell needs apart are single words of the CPV's labels, and words made from them.
"""

import re
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from random import Random

from matching.policy import Policy
from matching.reference import cpv_labels
from matching.text.needs import build_phrase_index, find_needs

# Words in a real description where there is one (2,295 of 3,086 plans), at these shares of the plans.
WORDS_AT = ((0.0, 3), (0.05, 11), (0.10, 15), (0.25, 25), (0.50, 51), (0.75, 76), (0.90, 97), (0.95, 154), (1.0, 245))
NO_DESCRIPTION = 0.26
NEEDS_A_TRADE = 5
"""So many needs are of one trade: near misses that share what it is about, but not what is wanted."""

NEEDS_A_FIELD = 2000
"""So many needs draw their names from the same words. Each further field has words of its own, made from the same ones
(`pumps`, `belpumps`, `borpumps`), so that the names two strangers share don't grow with the corpus."""

_SYLLABLES = tuple(
    "ba bel bor cad cor dar del dom dra eld fen fin fos gal gan gor hal hel hin jas jor kel kem kor lam "
    "len lor lun mar mel mir mon nal nev nor ord pal pel pir pol quin rad rel rin ros sal sel sol tam tel "
    "tor tul ulm val ven vor wal wen wil yar yel yor zan zel".split()
)
_ENDS = ("ax", "en", "ik", "on", "us", "ia", "or", "et")
_COMMONEST = 25
"""A word that more labels have names no need; it may stand anywhere."""

_ACTIVITIES = (
    "{}",
    "{}",
    "Supply of {}",
    "Delivery of {}",
    "Provision of {}",
    "Maintenance of {}",
    "Hire of {}",
    "Replacement of {}",
    "Servicing of {}",
    "Purchase of {}",
    "{} framework",
    "{} programme",
    "{} support",
    "Contract for {}",
    "Repair of {}",
    "Upkeep of {}",
)
# One word each: two commonplace words side by side would be a known phrase, and say too much.
_SETTINGS = tuple(
    f"for {users}"
    for users in (
        "schools depots tenants residents learners parks offices households visitors traders workshops stations "
        "patients teachers drivers walkers councillors villages teams"
    ).split()
)
_LEADS = (
    "{who} intends to appoint one supplier for {thing} {where}.",
    "{who} is planning the {activity} of {thing} {where}.",
    "{thing} are needed {where}, with {detail}.",
    "This covers {thing} and {objects} {where}, with {detail}.",
    "{who} requires {thing} and {detail}.",
)
_OWN = (
    "{thing} have to work with {component} {other}.",
    "Included are {detail}, {other} and {third}.",
    "About {number} {objects} and {other} are in use.",
    "{component} {objects} need {third} twice a year.",
    "{objects} come with {detail} and {component} parts.",
    "Experience with {product} {objects} is essential.",
    "{other} and {detail} follow as the need arises.",
    "Staff will be shown {component} {third}.",
    "{number} {objects} are replaced first, then {third}.",
)
_COMMON = (
    "Work near {a} {b} is done when nobody is there.",
    "Demand varies with {a} {b} and is highest in {season}.",
    "A named manager reports on {b} each {month}.",
    "Prices follow an index of {a} {b}.",
    "Deliveries reach {number} addresses, some by {a} access.",
    "{people} ask for {a} {b} within {few} working days.",
    "{b} are expected to last {few} years.",
    "Anything used near {people} has to meet {a} standards.",
    "In {season} extra {b} are held for {people}.",
    "Visits without notice look at {a} work and {b}.",
    "{a} weather and loss of power are planned for.",
    "Where {b} fail, {people} receive {a} help.",
    "{people} were asked and prefer {a} {b}.",
    "Old {b} are taken back and {a} parts used again.",
)
_CLAUSES = (
    "Bidders must register on the procurement portal before the closing date.",
    "The contract will run for {few} years with an option to extend for a further two.",
    "The successful supplier will be expected to pay its staff the living wage.",
    "Further information can be found in the tender documents.",
    "Please submit any questions through the messaging area of the portal.",
    "The authority reserves the right not to award any contract.",
    "Offers will be weighted on quality and on price.",
    "The estimated value given includes all extensions.",
    "Tenderers should note that staff may transfer under TUPE.",
    "Social value will form part of the evaluation.",
    "It is anticipated that the contract will commence in {season}.",
    "Division into lots allows offers for one or for several.",
    "Expressions of interest are invited from suitably experienced organisations.",
    "Fairness is at the heart of all that {who} does.",
    "{who} buys with care and with an eye on the future.",
)
_PEOPLE = ("residents", "pupils", "staff", "visitors", "tenants", "patients", "motorists", "learners")
_SEASONS = ("spring", "summer", "autumn", "winter", "term time", "the holidays")
_MONTHS = ("month", "quarter", "week", "year")


@dataclass(frozen=True, slots=True)
class Words:
    """Words of CPV labels: what is bought (`things`, in the plural), what tells kinds of it apart (`kinds`), and the
    codes whose labels have each thing."""

    things: tuple[str, ...]
    kinds: tuple[str, ...]
    codes: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Need:
    """One requirement that a few authorities have. Product and component are invented words."""

    objects: str
    kind: str
    product: str
    component: str
    field: int
    details: tuple[str, ...]
    activity: str
    setting: str
    codes: tuple[str, ...]


@cache
def words() -> Words:
    """The words there are, in alphabetical order."""
    labels = {code: set(re.findall(r"\b[a-z]{4,13}\b", text.lower())) for code, text in cpv_labels().items()}
    seen = Counter(word for found in labels.values() for word in found)
    # A rare need that the engine's lexicon knows would join strangers, more of them the larger the corpus is.
    lexicon = build_phrase_index(Policy.load().concepts)
    rare = sorted(word for word, times in seen.items() if times <= _COMMONEST and not find_needs(word, lexicon))
    things = tuple(word for word in rare if word.endswith("s") and not word.endswith(("ss", "us", "is")))
    codes: dict[str, list[str]] = {thing: [] for thing in things}
    for code in sorted(labels):
        for thing in labels[code] & codes.keys():
            codes[thing].append(code)
    return Words(
        things,
        tuple(word for word in rare if not word.endswith("s")),
        {thing: tuple(found) for thing, found in codes.items()},
    )


def invented(number: int) -> str:
    """An invented word; numbers below 64^3 * 8 give different ones, neighbours unlike ones."""
    mixed = number * 1_315_423_911 % (len(_SYLLABLES) ** 3 * len(_ENDS))
    mixed, end = divmod(mixed, len(_ENDS))
    mixed, last = divmod(mixed, len(_SYLLABLES))
    first, middle = divmod(mixed, len(_SYLLABLES))
    return _SYLLABLES[first] + _SYLLABLES[middle] + _SYLLABLES[last] + _ENDS[end]


def need(number: int, seed: int) -> Need:
    """The requirement of this number, unlike any other: its trade says what is bought, all else is its own."""
    trade, chance = Random(f"{seed} trade {number // NEEDS_A_TRADE}"), Random(f"{seed} need {number}")
    field = number // NEEDS_A_FIELD
    thing = trade.choice(words().things)
    codes = words().codes[thing]
    return Need(
        objects=f"{_kind(field, chance)} {_in_field(thing, field)}",
        kind=_kind(field, chance),
        product=invented(2 * number).capitalize(),
        component=invented(2 * number + 1),
        field=field,
        details=tuple(_phrase(field, chance) for _ in range(3)),
        activity=chance.choice(_ACTIVITIES),
        setting=chance.choice(_SETTINGS),
        codes=(trade.choice(codes),) if chance.random() < 0.7 else tuple(sorted({chance.choice(codes), codes[0]})),
    )


def title(of: Need, who: str, chance: Random, *, loose: bool) -> str:
    """A title of about 4 to 15 words. A loose one names the things, but not the product and perhaps another kind."""
    kind = _kind(of.field, chance) if loose and chance.random() < 0.7 else of.kind
    thing = f"{kind} {of.objects}" if loose else f"{of.product} {kind} {of.objects}"
    if chance.random() < 0.5:
        thing = (
            f"{thing} and {_phrase(of.field, chance) if loose and chance.random() < 0.4 else chance.choice(of.details)}"
        )
    activity = chance.choice(_ACTIVITIES) if loose or chance.random() < 0.4 else of.activity
    parts = [activity.format(thing)]
    if chance.random() < 0.35:
        parts.append(of.setting if chance.random() < 0.6 else chance.choice(_SETTINGS))
    if chance.random() < 0.25:
        parts.append(f"- {who}")
    if chance.random() < 0.12:
        parts.insert(0, f"PR{chance.randrange(1000, 9999)}/{chance.randrange(10, 99)}")
    text = " ".join(parts)
    return text[0].upper() + text[1:]


def description(of: Need, who: str, chance: Random, *, loose: bool) -> str:
    """A description as long as real ones are: what is wanted, what goes with it, and clauses of the trade."""
    if chance.random() < NO_DESCRIPTION:
        return ""
    wanted = at(WORDS_AT, chance.random())
    said = [_filled(chance.choice(_LEADS), of, who, chance, loose)]
    length = len(said[0].split())
    while length < wanted:
        draw = chance.random()
        pool = _OWN if draw < (0.2 if loose else 0.3) else _COMMON if draw < 0.68 else _CLAUSES
        sentence = _filled(chance.choice(pool), of, who, chance, loose)
        if sentence not in said:
            said.append(sentence)
        length += len(sentence.split())
    return " ".join(said)


def at(table: tuple[tuple[float, float], ...], share: float) -> float:
    """The value at a share of a table of quantiles, by straight lines between its points."""
    for (low, start), (high, end) in pairwise(table):
        if share <= high:
            return start + (end - start) * (share - low) / (high - low)
    return table[-1][1]


def _phrase(field: int, chance: Random) -> str:
    return f"{_kind(field, chance)} {_in_field(chance.choice(words().things), field)}"


def _kind(field: int, chance: Random) -> str:
    return _in_field(chance.choice(words().kinds), field)


def _in_field(word: str, field: int) -> str:
    """The first field has the words as they are; in each further one another syllable goes before each, so that no two
    words of a field begin alike: to an encoder, words that do are nearly one."""
    before = ""
    while field:
        field, place = divmod(field, len(_SYLLABLES))
        before = _SYLLABLES[(zlib.crc32(word.encode()) + place) % len(_SYLLABLES)] + before
    return before + word


def _filled(template: str, of: Need, who: str, chance: Random, loose: bool) -> str:
    details = chance.sample(of.details, 3)
    if loose:
        details[0] = _phrase(of.field, chance)
    text = template.format(
        who=who,
        thing=f"{of.kind} {of.objects}" if loose else f"{of.product} {of.objects}",
        objects=of.objects,
        product=of.product,
        component=of.component,
        detail=details[0],
        other=details[1],
        third=details[2],
        where=of.setting,
        activity=chance.choice(("supply", "provision", "maintenance", "renewal")),
        a=chance.choice(words().kinds),
        b=chance.choice(words().things),
        number=chance.randrange(12, 400),
        few=chance.randrange(2, 9),
        people=chance.choice(_PEOPLE),
        season=chance.choice(_SEASONS),
        month=chance.choice(_MONTHS),
    )
    return text[0].upper() + text[1:]
