"""Policies with other values than the shipped one."""

from dataclasses import replace
from typing import Any

from matching.policy import Policy


def with_changes(policy: Policy, **changes: Any) -> Policy:
    """A copy with other values and a version marked as changed by hand."""
    return replace(policy, version=f"{policy.version}*", **changes)
