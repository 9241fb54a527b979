"""What goes to the journal: one line per fact, never a token."""

from __future__ import annotations

import logging
from typing import Any


class MaskQuery(logging.Filter):
    """Replaces every value in the query of uvicorn's access lines.

    All values, not only `access_token`: a percent-encoded name would slip through a filter
    that knows names.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the path argument of the record; never drops the record."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                mask_query(item) if isinstance(item, str) else item for item in record.args
            )
        return True


def mask_query(target: str) -> str:
    """The request target with its query values replaced: `/events?access_token=***`."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    masked = [
        f"{pair.partition('=')[0]}=***" if "=" in pair else "***" for pair in query.split("&")
    ]
    return f"{path}?{'&'.join(masked)}"


def log_config(level: str) -> dict[str, Any]:
    """A logging configuration for uvicorn: everything to stdout, without the time (journald's)."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"mask": {"()": MaskQuery}},
        "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "line",
            },
            "access": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "line",
                "filters": ["mask"],
            },
        },
        "root": {"handlers": ["stdout"], "level": "WARNING"},
        "loggers": {
            "notify": {"level": level.upper()},
            "uvicorn": {"level": "INFO"},
            "uvicorn.error": {"level": "INFO"},
            "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
        },
    }
