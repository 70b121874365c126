"""Logs: one JSON object a line on standard error, for our code and libraries alike. No personal data, no plan texts."""

import logging
import sys
from typing import Any, cast

import structlog

from services.platform.log_limits import RepeatLimit


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger. Log ids (event_id, plan_id, opportunity_id), never titles or addresses."""
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger(name))


def setup(service: str, level: str) -> None:
    """Send all logging, including the standard library's, through the JSON formatter."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(service),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(RepeatLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # At INFO these libraries log every request and every rebalance.
    for library in ("aiokafka", "uvicorn.access", "httpx", "sentence_transformers", "faststream"):
        logging.getLogger(library).setLevel(logging.WARNING)


def _named(service: str) -> Any:
    def add(_: Any, __: str, record: dict[str, Any]) -> dict[str, Any]:
        record["service"] = service
        return record

    return add
