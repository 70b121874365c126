"""Every table, for the migrations: importing this module declares them all."""

from services.store import (
    authorities,
    authority_keys,
    coalition_notices,
    coalitions,
    embeddings,
    feeds,
    forgotten,
    frameworks,
    generation,
    intents,
    opportunities,
    outbox,
    plan_features,
    plan_resets,
    plans,
    responses,
)

__all__ = [
    "authorities",
    "authority_keys",
    "coalition_notices",
    "coalitions",
    "embeddings",
    "feeds",
    "forgotten",
    "frameworks",
    "generation",
    "intents",
    "opportunities",
    "outbox",
    "plan_features",
    "plan_resets",
    "plans",
    "responses",
]
