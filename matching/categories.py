"""Infers a plan's category from its words, its needs, its meaning and its codes together."""

import math
from collections.abc import Mapping

import numpy as np

from matching.components.specification import Vector
from matching.policy import Category, Policy

_GROUPS_ASKED = 8
_WORDS_COUNT = 0.7
_CLEAR = 0.3
# Words alone rule out no category.
_AT_LEAST = 0.002


def infer_category(
    codes: tuple[str, ...],
    by_words: Mapping[str, float],
    needs: Mapping[str, float],
    shape: Vector,
    group_codes: tuple[str, ...],
    policy: Policy,
) -> tuple[Category, float]:
    """The most likely category of a plan, and its locality.

    A code makes its category more likely in proportion to the trust in codes, so a wrong code loses against a clear
    text. The needs that the plan names do the same. Without a code and a clear text it is the default category, as
    local as the likely ones are on average.
    """
    if codes and not by_words:
        # The scorer has learned no words: meaning alone is too vague to outweigh a code.
        known = policy.category_of(codes)
        return known, known.locality
    by_text, by_needs = _by_text(by_words, shape, group_codes, policy), _by_needs(needs, policy)
    trust = _trust(codes, policy)
    found = {category.name: category for category in (*policy.categories, policy.default_category)}
    worth = {
        name: (by_text.get(name, 0.0) + _AT_LEAST) * trust.get(name, 1.0) * by_needs.get(name, 1.0)
        for name in sorted({*by_text, *trust, *by_needs} & {*found})
    }
    if not worth:
        return policy.default_category, policy.default_category.locality
    likeliest, total = max(worth, key=lambda name: (worth[name], name)), math.fsum(worth.values())
    if not trust and worth[likeliest] < _CLEAR * total:
        weighted = math.fsum(found[name].locality * share for name, share in worth.items())
        return policy.default_category, round(weighted / total, 3)
    return found[likeliest], found[likeliest].locality


def _trust(codes: tuple[str, ...], policy: Policy) -> dict[str, float]:
    """The factor by which the codes raise each category that they name; a bare division is trusted less."""
    rules, trust = policy.specification, dict[str, float]()
    for code in codes:
        name = policy.category_of((code,)).name
        worth = rules.division_trust if code[2:] == "000000" else rules.code_trust
        trust[name] = max(worth, trust.get(name, 1.0))
    return trust


def _by_needs(needs: Mapping[str, float], policy: Policy) -> dict[str, float]:
    """The factor by which a plan's needs raise each category that lists them: the whole trust if all needs are its."""
    total = math.fsum(needs.values())
    return {
        category.name: 1.0 + (policy.specification.need_trust - 1.0) * share / total
        for category in policy.categories
        if (share := math.fsum(needs.get(need, 0.0) for need in category.needs)) > 0
    }


def _by_text(
    by_words: Mapping[str, float], shape: Vector, group_codes: tuple[str, ...], policy: Policy
) -> dict[str, float]:
    """The likelihood of each category by the text alone; they add up to 1, or none if the text says nothing."""
    meant: dict[str, float] = {}
    for number in np.argsort(-shape, kind="stable")[:_GROUPS_ASKED]:
        name = policy.category_of((group_codes[number],)).name
        meant[name] = meant.get(name, 0.0) + float(shape[number])
    total = sum(meant.values())
    meant = {name: share / total for name, share in meant.items()} if total > 0 else {}
    if not by_words or not meant:
        return dict(by_words) or meant
    return {
        name: _WORDS_COUNT * by_words.get(name, 0.0) + (1.0 - _WORDS_COUNT) * meant.get(name, 0.0)
        for name in {*by_words, *meant}
    }
