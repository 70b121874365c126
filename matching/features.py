"""All features that the engine needs of one plan, computed once per revision."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from matching import reference, successions
from matching.categories import infer_category
from matching.components.region import DeliveryArea, delivery_area
from matching.components.specification import Vector, described
from matching.components.timing import TenderSpan, tender_span
from matching.corpus_statistics import NEED_PREFIX, Statistics
from matching.plan import Plan, Sharing, Stage, Status
from matching.policy import Category, Policy
from matching.text.cleaning import clean, squeeze
from matching.text.cpv_profile import CpvGroupVectors
from matching.text.needs import PhraseIndex, find_needs
from matching.text.posts import is_post
from matching.text.scope import Scope, scope_of
from matching.text.tokens import expand_synonyms, phrases, tf_idf_weights, tokens, weighted_counts

_TITLE_WEIGHT = 2.0
_CONCEPT_IN_TITLE = 3.0
_SITE = re.compile(
    r"\b(?:[A-Z][\w'-]+ )(?:street|road|lane|avenue|drive|park|school|academy|bridge|house|hall|centre|church|library|"
    r"square|court|building|buildings|cemetery|playground|recreation ground|playing fields?|station|depot|market|"
    r"junction|roundabout|gardens|pavilion|theatre|museum|farm|estate|quay|pier|baths|terrace|place|mill)\b",
    re.I,
)
_ONE_OFF = re.compile(
    r"\b(?:refurbish\w*|construct\w*|extension|demolition|demolish\w*|resurfac\w*|landscap\w*|restoration|alterations?|"
    r"replacement|improvement|improvements|installation|redevelopment|conversion|design and build|new build|works)\b",
    re.I,
)
_STANDING = re.compile(
    r"\b(?:frameworks?|term|programmes?|planned|cyclical|measured|maintenance|dps|dynamic|various|borough-?wide|"
    r"county-?wide|schedule of rates|responsive|reactive|multiple|sites|schools|properties|dwellings|housing stock|"
    # Each is at a named site, and readers still sign them: any supplier of play areas builds the next one, too.
    r"contractors|play (?:areas?|parks?|spaces?)|playgrounds?|skate ?parks?|pump tracks?)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class CleanedTexts:
    """The cleaned texts to embed; an empty `body` is not embedded."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The features of one plan. Vectors have unit length; `value` is NaN if unknown.

    `nature`: the likelihood of each of `scorer.NATURES`. `readiness`: the logits that the plan's subject adds.
    `described`: the amount of text, 0 to 1. `post`: whether the title alone names a post or a team.
    """

    plan: Plan
    texts: CleanedTexts
    embedding: Vector
    cpv_profile: Vector
    title_terms: Mapping[str, float]
    all_terms: Mapping[str, float]
    phrases: Mapping[str, float]
    concepts: Mapping[str, float]
    title_key: str
    cpv_codes: tuple[str, ...]
    category: Category
    locality: float
    span: TenderSpan
    delivery_area: DeliveryArea
    related_authorities: frozenset[str]
    value: float
    one_off: bool
    vague: bool
    nature: tuple[float, ...]
    readiness: float
    described: float
    scope: Scope | None
    post: bool

    @property
    def small(self) -> bool:
        """Whether the plan is worth less than its category's floor, so that joining it gains nobody anything."""
        return self.value < self.category.value_floor

    @property
    def is_joinable(self) -> bool:
        """Whether the plan can be in any opportunity at all, on any day and with any partner."""
        p = self.plan
        return (
            p.status is Status.ACTIVE
            and p.stage is not Stage.TENDERING
            and p.sharing is not Sharing.PRIVATE
            and not self.one_off
            and not self.vague
            and not self.small
        )


def clean_plan(plan: Plan, policy: Policy) -> CleanedTexts:
    """Clean the plan's texts of boilerplate, and add the meaning of trade words."""
    cleaned = clean(plan.title, plan.description, reference.names_of(plan.authority))
    return CleanedTexts(expand_synonyms(cleaned.title, policy.synonyms), expand_synonyms(cleaned.body, policy.synonyms))


def combine_embeddings(title: Vector, body: Vector | None, share: float) -> Vector:
    """Combine title and body into one unit vector; `share` is the body's weight."""
    both = title if body is None else title + np.float32(share) * body
    length = float(np.linalg.norm(both))
    return np.asarray(both / length if length > 0 else both, dtype=np.float32)


def same_text(one: Plan, other: Plan) -> bool:
    """Whether two revisions of a plan have the same words and codes, and so the same word features."""
    return (one.authority, one.title, one.description, one.cpv) == (
        other.authority,
        other.title,
        other.description,
        other.cpv,
    )


def with_revision(f: Features, plan: Plan, policy: Policy) -> Features:
    """Update features for a later revision with the same words; the expensive parts are reused."""
    return replace(
        f,
        plan=plan,
        span=tender_span(plan, policy.timing),
        delivery_area=delivery_area(plan),
        value=value_or_nan(plan, policy),
    )


def value_or_nan(plan: Plan, policy: Policy) -> float:
    """The plan's value in pounds; NaN if it is unknown or a token amount (a required field often gets 0 or 1)."""
    stated = plan.value is not None and plan.value >= policy.value.token
    return float(plan.value) if stated and plan.value is not None else float("nan")


def features_of(
    plan: Plan,
    texts: CleanedTexts,
    title: Vector,
    body: Vector | None,
    policy: Policy,
    statistics: Statistics,
    groups: CpvGroupVectors,
    needs: PhraseIndex,
) -> Features:
    """Compute all features of one plan that depend on neither a partner nor the day."""
    in_title, in_body = tokens(texts.title), tokens(texts.body)
    dense = combine_embeddings(title, body, policy.specification.body_share)
    shape = groups.profile(dense)
    codes = tuple(sorted({code[:8] for code in plan.cpv if reference.cpv_label(code[:8])}))
    titled = tf_idf_weights(weighted_counts((in_title, 1.0)), statistics.idf, policy.specification.title_rarity)
    worded = tf_idf_weights(weighted_counts((in_title, _TITLE_WEIGHT), (in_body, 1.0)), statistics.idf)
    needed = _concepts(texts, needs, statistics, policy.specification.concepts_rarity)
    by_words = policy.scorer.category_of(titled, worded, needed)
    category, locality = infer_category(codes, by_words, needed, shape, groups.codes, policy)
    return Features(
        plan=plan,
        texts=texts,
        embedding=dense,
        cpv_profile=shape,
        title_terms=titled,
        all_terms=worded,
        phrases=_phrases(texts, statistics),
        concepts=needed,
        title_key=" ".join(sorted(in_title)),
        cpv_codes=codes,
        category=category,
        locality=locality,
        span=tender_span(plan, policy.timing),
        delivery_area=delivery_area(plan),
        related_authorities=related_to(plan.authority),
        value=value_or_nan(plan, policy),
        one_off=category.works and _is_one_off(plan),
        vague=len(set(in_title)) == 0 and len(set(in_body)) < 3,
        nature=policy.scorer.nature_of(titled, worded, needed),
        readiness=policy.scorer.readiness_of(titled, needed),
        described=described(len(texts.body.split())),
        scope=scope_of(plan),
        post=is_post(texts.title, texts.body),
    )


def _phrases(texts: CleanedTexts, statistics: Statistics) -> dict[str, float]:
    """Pairs of words that other plans use too: any two words meet by chance once."""
    counted = weighted_counts((phrases(texts.title), _TITLE_WEIGHT), (phrases(texts.body), 1.0))
    return tf_idf_weights({pair: n for pair, n in counted.items() if pair in statistics.words}, statistics.idf)


def _concepts(texts: CleanedTexts, needs: PhraseIndex, statistics: Statistics, least: float) -> dict[str, float]:
    counted = weighted_counts((find_needs(texts.title, needs), _CONCEPT_IN_TITLE), (find_needs(texts.body, needs), 1.0))
    return tf_idf_weights(counted, lambda need: statistics.idf(NEED_PREFIX + need), least)


def _is_one_off(plan: Plan) -> bool:
    """Whether the plan is one-off building work at a named site, which nobody else can join."""
    title = squeeze(plan.title)
    return not _STANDING.search(title) and bool(_SITE.search(title) and _ONE_OFF.search(title))


def related_to(code: str) -> frozenset[str]:
    """The authority under each of its codes, with all its predecessors and all its successors.

    Two successors of one former authority are not related: each line is followed in one direction only.
    """
    return _related_to(code, successions.version())


@lru_cache(maxsize=1000)
def _related_to(code: str, _version: str) -> frozenset[str]:
    """The same, kept for one version of the successions."""
    back, forth = _line(code, lambda known: known.predecessors), _line(code, lambda known: known.successors)
    return frozenset({code} | back | forth | successions.related_by_succession(code))


def kin_of(code: str) -> frozenset[str]:
    """The authorities that never share a group with this one: its predecessors, successors and merger partners."""
    return _kin_of(code, successions.version())


@lru_cache(maxsize=1000)
def _kin_of(code: str, _version: str) -> frozenset[str]:
    """The same, kept for one version of the successions."""
    return related_to(code) | successions.merging_with(code)


def _line(code: str, onward: Callable[[reference.Authority], tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    queue = [code]
    while queue:
        known = reference.authority(queue.pop())
        if known is not None and known.code not in found:
            found |= {known.code, *known.former_codes}
            queue += onward(known)
    return found
