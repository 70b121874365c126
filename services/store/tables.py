"""Every table, for the migrations: importing this module declares them all."""

from services.store import (
    authorities,
    embeddings,
    forgotten,
    generations,
    keys,
    notifications,
    opportunities,
    outbox,
    plan_features,
    plan_resets,
    plans,
)

__all__ = [
    "authorities",
    "embeddings",
    "forgotten",
    "generations",
    "keys",
    "notifications",
    "opportunities",
    "outbox",
    "plan_features",
    "plan_resets",
    "plans",
]
