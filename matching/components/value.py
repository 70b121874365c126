"""The value component: whether a joint purchase is worth the effort, and whether the two amounts are comparable."""

import math
from typing import Any

import numpy as np

from matching.policy import ValueRules


def value_component(a: Any, b: Any, rules: ValueRules) -> Any:
    """Return the value component (0 to 1) of two amounts in pounds, NaN for unknown. For numbers and arrays."""
    total = np.maximum(a + b, 1.0)
    scale = math.log(rules.full_at / max(rules.floor, 1.0)) if rules.full_at > rules.floor else 1.0
    rise = np.clip(np.log(total / max(rules.floor, 1.0)) / scale, 0.0, 1.0)
    size = rules.at_floor + (1.0 - rules.at_floor) * rise
    unlike = np.minimum(a, b) * 100.0 < np.maximum(a, b)
    known = np.where(unlike, size * rules.disparity, size)
    return np.where(np.isnan(total), rules.unknown, known)
