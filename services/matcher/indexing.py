"""Step 3: a plan goes into the index before anything is searched for it, so that of two plans that come at once at
least the later one finds the other."""

import hashlib
from collections.abc import Mapping

from matching.candidates import pair_vector
from matching.engine import Engine, Features
from matching.plan import Plan, Sharing, Status
from services.store.search import Entry, Question, Words


def may_be_found(features: Features) -> bool:
    """Whether a plan has a place in the index: active, and shared with others."""
    return features.plan.status is Status.ACTIVE and features.plan.sharing is not Sharing.PRIVATE


def entry_of(features: Features, engine: Engine) -> Entry:
    """A plan's row of the index."""
    plan = features.plan
    return Entry(plan.plan_id, engine.generation.id, plan.revision, plan.authority, engine.opening(features))


def content_of(plan: Plan, engine: Engine) -> str:
    """What of a plan its words make depends on, hashed: its words and codes, whose they are, and the generation."""
    said = (engine.generation.id, plan.authority, *plan.cpv, "", plan.title, plan.description)
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:32]


def question(features: Features) -> Question:
    """What a plan asks the index."""
    return Question(
        plan_id=features.plan.plan_id,
        revision=features.plan.revision,
        neighbours=list(pair_vector.bordering(features)),
        related=sorted(features.related),
    )


def changed(features: Mapping[str, Features], contents: Mapping[str, str | None], engine: Engine) -> dict[str, Words]:
    """What the words make of those plans that can be found and whose words are not those of the index."""
    found = {}
    for plan_id, one in features.items():
        content = content_of(one.plan, engine)
        if one.standing and contents.get(plan_id) != content:
            found[plan_id] = Words(content, engine.vector(one), engine.pack(one))
    return found
