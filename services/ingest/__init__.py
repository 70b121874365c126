"""The library with which a council's system publishes its plans: it reads JSONL, OCDS and contract registers, and sends
plan events.

Scripts call `publish`; `jointly publish` calls the same function.
"""

from services.ingest.event_publisher import PublishingError
from services.ingest.publishing import PublishOptions, UsageError, publish
from services.ingest.report import Report

__all__ = ["PublishOptions", "PublishingError", "Report", "UsageError", "publish"]
