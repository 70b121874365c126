"""The status of an opportunity."""

from enum import StrEnum


class OpportunityStatus(StrEnum):
    """Whether the two plans are an opportunity at present."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
