"""Closeness of two plans' places of delivery: by ITL region, by common borders, by nation."""

from dataclasses import dataclass

from matching import reference
from matching.plan import Plan
from matching.policy import RegionRules

_NATION_OF = {"TLL": "Wales", "TLM": "Scotland", "TLN": "Northern Ireland"}


@dataclass(frozen=True, slots=True)
class DeliveryArea:
    """A plan's place of delivery: ITL 2025 codes, the authority whose borders count (None for no council), and
    `stated`: whether the plan named the place, or it follows from its authority or, failing that, the nation."""

    codes: tuple[str, ...]
    authority: str | None
    stated: bool

    @property
    def names(self) -> str:
        """Return the regions' names for readers, three at most."""
        names = [r.name for r in map(reference.region, self.codes) if r is not None]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return ", ".join(names[:3]) + more


def nations(where: DeliveryArea) -> frozenset[str]:
    """Return the nations of a place; empty for the United Kingdom or an unknown place."""
    if "UK" in where.codes:
        return frozenset()
    return frozenset(_NATION_OF.get(code[:3], "England") for code in where.codes)


def delivery_area(plan: Plan) -> DeliveryArea:
    """Return the plan's regions, else its authority's, else the United Kingdom."""
    known = reference.authority(plan.authority)
    code = known.code if known else None
    stated = tuple(dict.fromkeys(now for old in plan.regions for now in reference.normalise_region(old)))
    if stated:
        return DeliveryArea(tuple(sorted(stated)), code, stated=True)
    return DeliveryArea(tuple(sorted(known.regions)) if known and known.regions else ("UK",), code, stated=False)


def proximity(a: DeliveryArea, b: DeliveryArea, rules: RegionRules) -> tuple[float, str]:
    """Return the closeness of two places (0 to 1), and the reason, a sentence without its full stop. The order does not
    matter."""
    near, why = max(
        (_between(one, other, rules) for one in a.codes for other in b.codes),
        key=lambda found: (found[0], found[1]),
    )
    if (near < rules.adjacent or _is_small_region(a, b, near, rules)) and _are_neighbours(a.authority, b.authority):
        return max(near, rules.adjacent), "They are neighbours"
    return near, why


def _are_neighbours(a: str | None, b: str | None) -> bool:
    return bool(a and b and (b in reference.neighbours(a) or a in reference.neighbours(b)))


def _is_small_region(a: DeliveryArea, b: DeliveryArea, near: float, rules: RegionRules) -> bool:
    """Whether the two councils' own areas share a small region, whose name few readers know.

    A county and a district in it share the county.
    """
    if near < min(rules.itl2, rules.itl3) or a.stated or b.stated:
        return False
    known = [reference.authority(code) for code in (a.authority, b.authority) if code]
    return not any(one and one.county in (a.authority, b.authority) for one in known)


def _between(one: str, other: str, rules: RegionRules) -> tuple[float, str]:
    if "UK" in (one, other):
        # A delivery all over the country is as near to any place as its nation is.
        return rules.nation, "One is for the whole United Kingdom"
    shared = next(
        (length for length in (5, 4, 3) if len(min(one, other, key=len)) >= length and one[:length] == other[:length]),
        0,
    )
    if shared:
        region = reference.region(one[:shared])
        value = {5: rules.itl3, 4: rules.itl2, 3: rules.itl1}[shared]
        return value, f"Both are in {_spoken(region.name) if region else one[:shared]}"
    nation = _NATION_OF.get(one[:3], "England")
    if nation == _NATION_OF.get(other[:3], "England"):
        return rules.nation, f"Both are in {nation}"
    return rules.uk, "They are in different nations"


def _spoken(region: str) -> str:
    """Return a region's name for a sentence: the register says "North West (England)"."""
    plain = region.removesuffix(" (England)")
    if plain == region:
        return region.removesuffix(" CC")
    return "the East of England" if plain == "East" else f"the {plain}"


def region_component(near: float, locality: float) -> float:
    """Return 1 - locality * (1 - closeness): the more local the category, the more distance costs."""
    return 1.0 - locality * (1.0 - near)
