"""The engine: computes a plan's features, finds its opportunities in a corpus, and explains them."""

import hashlib
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from matching import successions
from matching.assessment import Assessment, Band, GateCode
from matching.candidates import corpus_search as searching
from matching.candidates import pair_vector
from matching.candidates.corpus import Corpus
from matching.candidates.pair_vector import JoinConstraints
from matching.candidates.plan_index import IndexEntry, IndexQuery
from matching.components.specification import Vector
from matching.corpus_statistics import Statistics
from matching.explanation import assessment_of
from matching.feature_codec import decode_features, encode_features
from matching.features import CleanedTexts, Features, clean_plan, features_of, same_text, with_revision
from matching.pair_scoring import ScoredPair, Similarity, score_pair, similarity_of
from matching.plan import Plan
from matching.policy import Policy
from matching.text.cpv_profile import CpvGroupVectors, load_cpv_groups
from matching.text.needs import PhraseIndex, build_phrase_index

__all__ = ["CleanedTexts", "Corpus", "Engine", "Features", "Generation", "Vector"]

# Raise this by hand when a change of the code changes assessments under the same policy, statistics and model.
ENGINE_VERSION = "8"


@dataclass(frozen=True, slots=True)
class Generation:
    """One version of all inputs of an assessment. Opportunities of two generations must not be mixed.

    `successions`: the version of the successions in effect; empty for the shipped ones alone.
    """

    policy: str
    statistics: str
    model: str
    engine: str = ENGINE_VERSION
    successions: str = field(default_factory=successions.version)

    @property
    def id(self) -> str:
        """A short stable id of 16 hexadecimal digits."""
        parts = (self.policy, self.statistics, self.model, self.engine, *filter(None, (self.successions,)))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """The pure engine: the same plans, vectors and day always give the same answer, in any order."""

    policy: Policy
    statistics: Statistics
    generation: Generation
    groups: CpvGroupVectors
    needs: PhraseIndex

    @classmethod
    def load(
        cls, *, policy: Policy | None = None, statistics: Statistics | None = None, model: str = "hashing-384/1"
    ) -> "Engine":
        """Load an engine for the vectors of one model (`Embedder.model`). Policy and statistics default to the
        packaged
        ones. Raises PolicyError, StatisticsError."""
        policy = policy or Policy.load()
        statistics = statistics or Statistics.load()
        generation = Generation(policy.version, statistics.version, model)
        return cls(policy, statistics, generation, load_cpv_groups(model), build_phrase_index(policy.concepts))

    def texts(self, plan: Plan) -> CleanedTexts:
        """The texts of a plan to embed. They depend on its words, its authority and the policy, never on dates."""
        return clean_plan(plan, self.policy)

    def features(self, plan: Plan, title: Vector, body: Vector | None, texts: CleanedTexts | None = None) -> Features:
        """Compute the features of one plan revision from the unit vectors, shape (d,), of its `texts`.

        `body` is None if that text is empty. `texts` may be given if they are known.
        """
        texts = texts or self.texts(plan)
        return features_of(plan, texts, title, body, self.policy, self.statistics, self.groups, self.needs)

    def encode_features(self, features: Features) -> bytes:
        """Serialise the part of a plan's features that depends on its words, for `decode_features`."""
        return encode_features(features, self.policy)

    def decode_features(self, packed: bytes, plan: Plan) -> Features:
        """Restore a plan's features from bytes that this generation packed for the same words."""
        return decode_features(packed, plan, self.policy, self.groups)

    def same_text(self, features: Features, plan: Plan) -> bool:
        """Whether a plan has the words and codes that these features were computed from."""
        return same_text(features.plan, plan)

    def with_revision(self, features: Features, plan: Plan) -> Features:
        """Update features for a plan with the same text, and possibly other dates, figures, regions or status."""
        return with_revision(features, plan, self.policy)

    def corpus(self) -> Corpus:
        """An empty corpus."""
        return Corpus()

    def search(self, query: Features, corpus: Corpus, as_of: date) -> list[str]:
        """Find the ids of all opportunities of a plan in the corpus, sorted; the same ones that `assess` finds.

        The plan itself may be in the corpus.
        """
        return sorted(
            other.plan.plan_id
            for other in self.candidates(query, corpus, as_of)
            if score_pair(query, other, as_of, self.policy).band is not Band.NONE
        )

    def candidates(self, query: Features, corpus: Corpus, as_of: date) -> Iterator[Features]:
        """Yield the plans of the corpus that may be an opportunity: all that are one, and few others."""
        for row in searching.candidates(query, corpus, as_of, self.policy):
            other = corpus.get(corpus.plan_ids[row])
            if other is not None:
                yield other

    def similarity(self, a: Features, b: Features) -> Similarity:
        """Compare the words and codes of two plans, independent of the day."""
        return similarity_of(a, b, self.policy)

    def assess_if_opportunity(
        self, a: Features, b: Features, as_of: date, similarity: Similarity | None = None
    ) -> Assessment | None:
        """Assess two plans; None if they are no opportunity. `similarity` saves computing it again."""
        judged = score_pair(a, b, as_of, self.policy, similarity)
        return None if judged.band is Band.NONE else assessment_of(judged, self.policy)

    def pair_vector(self, features: Features) -> Vector:
        """Build a plan's vector for the index: float32, shape (`pair_vector.DIMENSIONS`,)."""
        return pair_vector.build_pair_vector(features, self.policy.scorer)

    def join_constraints(self, features: Features) -> JoinConstraints:
        """Build the facts of time and place by which an index filters a plan."""
        return pair_vector.join_constraints(features, self.policy)

    def index_entry(self, features: Features) -> IndexEntry:
        """Build a plan's entry in an index."""
        plan = features.plan
        return IndexEntry(
            plan.plan_id, plan.revision, plan.authority, self.join_constraints(features), self.pair_vector(features)
        )

    def index_query(self, features: Features, vector: Vector) -> IndexQuery:
        """Build a plan's query for candidates; `vector` is its own."""
        return IndexQuery(
            vector,
            self.join_constraints(features),
            features.related_authorities,
            pair_vector.bordering_councils(features),
        )

    def top_partners(
        self, query: Features, corpus: Corpus, as_of: date, *, top: int, by_specification: bool = False
    ) -> list[Assessment]:
        """Find the best partners in the corpus, best first, without plans of the same authority.

        By score, only a weak specification may gate a pair. By specification, any gate may.
        """
        rows, bounds = (
            searching.bounds_by_specification(query, corpus, self.policy)
            if by_specification
            else searching.bounds_by_score(query, corpus, as_of, self.policy)
        )
        found: list[tuple[float, str, ScoredPair]] = []
        for row, bound in zip(rows, bounds, strict=True):
            if len(found) >= top and -found[top - 1][0] >= bound:
                break
            other = corpus.get(corpus.plan_ids[row])
            if other is not None and other.plan.authority != query.plan.authority:
                judged = score_pair(query, other, as_of, self.policy)
                if not by_specification and {gate.code for gate in judged.gates} - {GateCode.WEAK_SPECIFICATION}:
                    continue
                worth = judged.specification if by_specification else judged.score
                insort(found, (-worth, other.plan.plan_id, judged), key=_by_worth)
        return [assessment_of(judged, self.policy) for _, _, judged in found[:top]]

    def assess(self, a: Features, b: Features, as_of: date, similarity: Similarity | None = None) -> Assessment:
        """Assess two plans, with reasons; the same in either order. `similarity` saves computing it again."""
        return assessment_of(score_pair(a, b, as_of, self.policy, similarity), self.policy)


def _by_worth(entry: tuple[float, str, ScoredPair]) -> tuple[float, str]:
    return entry[:2]
