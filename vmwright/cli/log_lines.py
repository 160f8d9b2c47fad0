"""The lines of the log: for the person at a terminal, for journald, and for programs."""

import json
import logging
import os
import time
from typing import Any

from vmwright.cli.values import safe
from vmwright.concerning import concerns

_PLAIN = "%(levelname)s %(name)s: %(message)s"


class Lines(logging.Formatter):
    """Log lines may name what users have named."""

    def format(self, record: logging.LogRecord) -> str:
        return safe(super().format(record))


class ServiceLines(Lines):
    """With what each is about behind it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        return super().formatMessage(record) + (f" [{facts}]" if facts else "")


class JsonLines(logging.Formatter):
    """An object each. What was not said is left out."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told: dict[str, Any] = {
            "time": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            "thread": record.threadName,
            **_facts(record),
            **getattr(record, "said", {}),
        }
        if record.exc_info and (error := record.exc_info[1]) is not None:
            told["error"] = f"{type(error).__name__}: {error}"
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class _ForJournald(logging.Formatter):
    """With the priority that journald reads at the beginning of a line (sd-daemon(3))."""

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        priority = _PRIORITIES.get(record.levelno, 5)
        return "\n".join(f"<{priority}>{line}" for line in self._lines.format(record).splitlines())


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """What it is about: what its thread is, and its own `facts`. Those that its text says already
    are in its `said`."""
    return {**concerns(), **getattr(record, "facts", {})}


def formatter(log_format: str | None) -> logging.Formatter:
    """Of a service's log, in a format of `[service] log_format`; of any other command's if None."""
    if log_format is None:
        return Lines(_PLAIN)
    is_read_by_journald = "JOURNAL_STREAM" in os.environ
    if log_format == "json":
        lines: logging.Formatter = JsonLines()
    else:
        lines = ServiceLines(_PLAIN if is_read_by_journald else f"%(asctime)s {_PLAIN}")
    return _ForJournald(lines) if is_read_by_journald else lines
