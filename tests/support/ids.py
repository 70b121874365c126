"""Ids as the tests' databases give them."""

from services.domain import ids


def opportunity_id(plan_a: str, plan_b: str) -> str:
    """The id of a pair of plans."""
    return ids.opportunity_id(plan_a, plan_b)
