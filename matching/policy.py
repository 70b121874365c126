"""The policy: weights, thresholds and category rules, read from one TOML file and checked key by key."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from matching.assessment import Band
from matching.scorer import Scorer, ScorerError


class PolicyError(ValueError):
    """The policy file is invalid. The message names the file, the key and the allowed values."""


def _within(low: float, high: float, default: float | int | tuple[float, ...] = MISSING) -> Any:  # type: ignore[assignment]
    """A number between two bounds, both included."""
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Bands:
    """The lowest score (0 to 100) of each band, falling from notify to feed."""

    notify: float = _within(0, 100)
    digest: float = _within(0, 100)
    feed: float = _within(0, 100)

    def of(self, score: float) -> Band:
        """The band of a score; `none` below the lowest."""
        if score >= self.notify:
            return Band.NOTIFY
        if score >= self.digest:
            return Band.DIGEST
        return Band.FEED if score >= self.feed else Band.NONE


@dataclass(frozen=True, slots=True)
class Exponents:
    """The exponent of each component: how strongly it lowers the score; 0 leaves it out."""

    specification: float = _within(0, 10)
    timing: float = _within(0, 10)
    region: float = _within(0, 10)
    value: float = _within(0, 10)


@dataclass(frozen=True, slots=True)
class SpecificationRules:
    """How texts and codes become signals. The scorer has the signals' weights."""

    cpv_unknown: float = _within(0, 1)
    concepts_unknown: float = _within(0, 1)
    title_rarity: float = _within(0, 1000)
    concepts_rarity: float = _within(0, 1000)
    body_share: float = _within(0, 10)
    code_trust: float = _within(1, 1e6)
    division_trust: float = _within(1, 1e6)
    min_specification: float = _within(0, 1)
    max_title_words: int = _within(1, 500, 25)
    max_cpv_divisions: int = _within(1, 50, 12)
    need_trust: float = _within(1, 1e6, 10.0)


@dataclass(frozen=True, slots=True)
class TimingRules:
    """The fit of two windows, the duration of a joint tender, and the weight of the time left to decide."""

    full_overlap_days: int = _within(1, 3650)
    one_day: float = _within(0, 1)
    with_extension: float = _within(0, 1)
    max_extension_months: int = _within(0, 120)
    mobilisation_days: int = _within(0, 3650)
    lead_step_days: int = _within(1, 3650)
    lead_steps: tuple[float, ...] = _within(0, 1)
    short_window_days: int = _within(0, 3650, 15)
    governance_days: int = _within(0, 3650, 20)
    large_governance_days: int = _within(0, 3650, 45)
    large_value: float = _within(0, 1e13, 500_000.0)
    near_miss_days: int = _within(0, 180, 180)
    near_miss_step_days: int = _within(1, 3650, 30)
    near_miss_steps: tuple[float, ...] = _within(0, 1, (0.45, 0.4, 0.35, 0.3, 0.25, 0.2))


@dataclass(frozen=True, slots=True)
class RegionRules:
    """Closeness of two places by the narrowest region they share."""

    itl3: float = _within(0, 1)
    itl2: float = _within(0, 1)
    itl1: float = _within(0, 1)
    adjacent: float = _within(0, 1)
    nation: float = _within(0, 1)
    uk: float = _within(0, 1)
    local_threshold: float = _within(0, 1)


@dataclass(frozen=True, slots=True)
class ValueRules:
    """Rules for the plans' values, in pounds sterling."""

    floor: float = _within(0, 1e12)
    at_floor: float = _within(0, 1)
    full_at: float = _within(1, 1e13)
    unknown: float = _within(0, 1)
    disparity: float = _within(0, 1)
    token: float = _within(0, 1e6, 100.0)
    apart: float = _within(1, 1e6, 20.0)


@dataclass(frozen=True, slots=True)
class Category:
    """Rules for plans whose CPV codes, given or read from the text, begin with one of these prefixes; `needs` are those
    of the lexicon that tell the category."""

    name: str
    cpv: tuple[str, ...] = ()
    locality: float = _within(0, 1, 0.4)
    preparation_days: int = _within(0, 3650, 60)
    value_floor: float = _within(0, 1e12, 50_000.0)
    works: bool = False
    separate_nations: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy and the fitted scorer that goes with it.

    `version` is the file's declared version, the first digits of its content's hash, and the scorer's version.
    """

    version: str
    bands: Bands
    exponents: Exponents
    specification: SpecificationRules
    timing: TimingRules
    region: RegionRules
    value: ValueRules
    default_category: Category
    categories: tuple[Category, ...]
    scorer: Scorer
    synonyms: Mapping[str, str] = field(default_factory=dict)
    concepts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None, scorer: Scorer | None = None) -> "Policy":
        """Load the policy of a TOML file, by default the packaged one; raise PolicyError.

        The scorer is the given one, else the one that the file names (a path from its folder), else the packaged one.
        """
        return _packaged_policy() if path is None and scorer is None else cls._load(path, scorer)

    @classmethod
    def _load(cls, path: Path | None, scorer: Scorer | None) -> "Policy":
        source = str(path) if path else "policy.toml (packaged)"
        try:
            text = path.read_text(encoding="utf-8") if path else _packaged()
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyError(f"cannot read the policy file {source}: {error}") from error
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PolicyError(f"{source} is not TOML: {error}") from error
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return _policy(content, source, digest, scorer or _scorer(content.get("scorer"), path, source))

    def category_of(self, codes: tuple[str, ...]) -> Category:
        """The category with the longest prefix of any of the codes; the default if none matches."""
        best, length = self.default_category, 0
        for category in self.categories:
            for prefix in category.cpv:
                if len(prefix) > length and any(code.startswith(prefix) for code in codes):
                    best, length = category, len(prefix)
        return best


@cache
def _packaged_policy() -> Policy:
    """Nothing in it can change, so that it is read once."""
    return Policy._load(None, None)


def _packaged() -> str:
    return files("matching").joinpath("policy.toml").read_text(encoding="utf-8")


def _policy(content: dict[str, Any], source: str, digest: str, scorer: Scorer) -> Policy:
    allowed = {f.name for f in fields(Policy)} - {"categories"} | {"category"}
    _known(content, allowed, source, "")
    declared = content.get("version")
    if not isinstance(declared, str) or not declared:
        raise PolicyError(f'{source}: version must be a word such as "2026-11"')
    sections = get_type_hints(Policy)
    read = {
        name: _section(sections[name], content.get(name), source, name)
        for name in ("bands", "exponents", "specification", "timing", "region", "value", "default_category")
    }
    default = read["default_category"]
    listed = content.get("category", [])
    if not isinstance(listed, list):
        raise PolicyError(f"{source}: category must be a list of tables, each written [[category]]")
    categories = tuple(_category(item, default, source, i) for i, item in enumerate(listed, 1))
    policy = Policy(
        version=f"{declared}+{digest}/{scorer.version}",
        scorer=scorer,
        categories=categories,
        synonyms={
            key.lower(): meaning for key, meaning in _texts(content.get("synonyms", {}), source, "synonyms").items()
        },
        concepts={
            name: tuple(dict.fromkeys(phrase.strip() for phrase in (name, *phrases.split(",")) if phrase.strip()))
            for name, phrases in _texts(content.get("concepts", {}), source, "concepts").items()
        },
        **read,
    )
    _check_order(policy, source)
    _check_needs(policy, source)
    return policy


def _scorer(named: object, path: Path | None, source: str) -> Scorer:
    if named is None or path is None:
        return Scorer.load()
    if not isinstance(named, str) or not named:
        raise PolicyError(f'{source}: scorer must be the name of a file beside it, for example "scorer.json"')
    try:
        return Scorer.load(path.parent / named)
    except ScorerError as error:
        raise PolicyError(f"{source}: {error}") from error


def _check_needs(policy: Policy, source: str) -> None:
    listed: dict[str, str] = {}
    for category in policy.categories:
        for need in category.needs:
            if need not in policy.concepts:
                raise PolicyError(f"{source}: {category.name!r} lists {need!r}, which is no need of [concepts]")
            if need in listed:
                raise PolicyError(f"{source}: {need!r} tells two categories: {listed[need]!r} and {category.name!r}")
            listed[need] = category.name


def _check_order(policy: Policy, source: str) -> None:
    b, t, r = policy.bands, policy.timing, policy.region
    if not b.notify >= b.digest >= b.feed > 0:
        raise PolicyError(f"{source}: bands must fall and stay above 0: notify >= digest >= feed > 0")
    if not t.lead_steps or list(t.lead_steps) != sorted(t.lead_steps):
        raise PolicyError(f"{source}: timing.lead_steps must rise: more time to decide never counts less")
    if t.large_governance_days < t.governance_days:
        raise PolicyError(f"{source}: timing.large_governance_days must not be below governance_days")
    if not t.near_miss_steps or list(t.near_miss_steps) != sorted(t.near_miss_steps, reverse=True):
        raise PolicyError(f"{source}: timing.near_miss_steps must fall: more days between windows never count more")
    closeness = [r.itl3, r.itl2, r.itl1, r.adjacent, r.nation, r.uk]
    if closeness != sorted(closeness, reverse=True):
        raise PolicyError(f"{source}: region must fall: itl3 >= itl2 >= itl1 >= adjacent >= nation >= uk")


def _category(item: object, default: Category, source: str, number: int) -> Category:
    where = f"category[{number}]"
    if not isinstance(item, dict):
        raise PolicyError(f"{source}: {where} must be a table")
    inherited = {f.name: getattr(default, f.name) for f in fields(Category) if f.name not in ("name", "cpv", "needs")}
    category = _section(Category, {**inherited, **item}, source, where)
    if not category.cpv or not all(p.isdigit() and 2 <= len(p) <= 8 for p in category.cpv):
        raise PolicyError(f'{source}: {where}.cpv must list CPV prefixes of 2 to 8 digits, for example ["48", "72"]')
    return category


def _texts(content: object, source: str, where: str) -> dict[str, str]:
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise PolicyError(f'{source}: {where} must map words to words, for example mfd = "multifunction printer"')
    return dict(content)


T = TypeVar("T")


def _section(kind: type[T], content: object, source: str, where: str) -> T:
    if not isinstance(content, dict):
        raise PolicyError(f"{source}: the section [{where}] is missing")
    known = fields(kind)  # type: ignore[arg-type]
    _known(content, {f.name for f in known}, source, f"{where}.")
    hints = get_type_hints(kind)
    values = {}
    for f in known:
        key = f"{where}.{f.name}"
        if f.name in content:
            values[f.name] = _value(hints[f.name], content[f.name], f.metadata, source, key)
        elif f.default is MISSING:
            raise PolicyError(f"{source}: {key} is missing")
    return kind(**values)


def _known(content: Mapping[str, object], allowed: set[str], source: str, where: str) -> None:
    for key in content:
        if key not in allowed:
            raise PolicyError(f"{source}: {where}{key} is not known; allowed are {', '.join(sorted(allowed))}")


def _value(hint: Any, value: Any, bounds: Mapping[str, float], source: str, key: str) -> Any:
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise PolicyError(f"{source}: {key} must be a list")
        return tuple(_value(get_args(hint)[0], item, bounds, source, key) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise PolicyError(f"{source}: {key} must be a {_WORDS[hint]}, not {value!r}")
    if bounds and not bounds["low"] <= value <= bounds["high"]:
        raise PolicyError(f"{source}: {key} must lie between {bounds['low']:g} and {bounds['high']:g}, not {value!r}")
    return value


_WORDS = {float: "number", int: "whole number", str: "text", bool: "true or false"}
