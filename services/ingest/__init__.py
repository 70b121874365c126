"""What a council's system uses to publish its plans: JSONL, OCDS and contract registers in, plan events out.

`publish` is the whole of it for a script; `jointly publish` calls the same.
"""

from services.ingest.event_publisher import PublishingError
from services.ingest.publishing import PublishOptions, UsageError, publish
from services.ingest.report import Report

__all__ = ["PublishOptions", "PublishingError", "Report", "UsageError", "publish"]
