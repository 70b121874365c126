"""The nature of a purchase, in words: two plans of different natures are seldom bought together."""

from typing import Final

from matching.features import Features
from matching.scorer import NATURES
from matching.text.formatting import authority_short_name

_CLEAR: Final = 0.5
_BOUGHT: Final = {
    "goods": "goods",
    "hire": "equipment hire",
    "maintenance": "maintenance",
    "service": "a service",
    "works": "works",
    "consultancy": "advice or design",
    "role": "a post or a team",
    "software": "software",
    "finance": "insurance or a financial service",
    "utility": "a utility",
    "land": "land or premises to let",
}


def likeliest_nature(f: Features) -> str:
    """The most likely nature of a plan, however unlikely. A title that names a post leaves no doubt."""
    return "role" if f.post else NATURES[f.nature.index(max(f.nature))]


def nature_of(f: Features) -> str:
    """The most likely nature of a plan; empty if its text is not clear."""
    return likeliest_nature(f) if f.post or max(f.nature) >= _CLEAR else ""


def say_natures(a: Features, b: Features) -> str:
    """A sentence about both natures if both texts are clear and the natures differ; otherwise empty."""
    here, there = nature_of(a), nature_of(b)
    if not here or not there or here == there:
        return ""
    who, other = authority_short_name(a.plan.authority), authority_short_name(b.plan.authority)
    return f"{who}'s plan reads as {_BOUGHT[here]}, {other}'s as {_BOUGHT[there]}."
