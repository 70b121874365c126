"""The rules of `services.domain.disclosure` on `sharing` as conditions of queries.

A plan without content, or whose content leaves `sharing` out, counts as private here too.
"""

from typing import Any

from sqlalchemy import ColumnElement, func

from matching.plan import Sharing


def sharing_of(state: Any) -> ColumnElement[str]:
    """The sharing of a plan's payload, which a JSON column holds."""
    return func.coalesce(state["sharing"].as_string(), Sharing.PRIVATE.value)


def is_open(state: Any) -> ColumnElement[bool]:
    """Whether a plan's payload is shared openly."""
    return sharing_of(state) == Sharing.OPEN.value


def is_private(state: Any) -> ColumnElement[bool]:
    """Whether a plan's payload is private."""
    return sharing_of(state) == Sharing.PRIVATE.value


def sharing_sql(state: str) -> str:
    """The text of `sharing_of`, for a query that is text."""
    return f"coalesce({state} ->> 'sharing', '{Sharing.PRIVATE}')"


def open_sql(state: str) -> str:
    """The text of `is_open`."""
    return f"{sharing_sql(state)} = '{Sharing.OPEN}'"


def match_only_sql(state: str) -> str:
    """The text of a condition: the payload shows others only that there is a match."""
    return f"{sharing_sql(state)} = '{Sharing.MATCH_ONLY}'"


def shared_sql(state: str) -> str:
    """The text of `not is_private`."""
    return f"{sharing_sql(state)} <> '{Sharing.PRIVATE}'"
