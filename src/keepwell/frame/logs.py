"""Structured logs that cannot hold personal data.

A line has an event, named by a code, and fields from a fixed list, each with the form its values
must have. Anything else is left out and counted, whoever logs it: names, phone numbers, notes and
client numbers have no field to stand in. Of an exception the class and the places are kept, never
its words; of other libraries' lines the logger, the level and the unfilled template.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import IO, Any, Final

import structlog

_CODE = r"(?!.*\d{6})[A-Za-z0-9][A-Za-z0-9_.:\-]{0,99}"
_OURS = r"[a-z]{1,12}_[a-z0-9]{1,40}"
_NUMBER = (int, float)

FIELDS: Final[dict[str, re.Pattern[str] | tuple[type, ...]]] = {
    "address": re.compile(r"https?://[A-Za-z0-9.:\[\]\-]{1,100}"),
    "attempt": _NUMBER,
    "code": re.compile(_CODE),
    "count": _NUMBER,
    "delivery_id": re.compile(_OURS),
    "endpoint_id": re.compile(_OURS),
    "error": re.compile(rf"{_CODE}(: {_CODE})?"),
    "generation": _NUMBER,
    "job_id": re.compile(r"job_\d{1,18}"),
    "kind": re.compile(_CODE),
    "method": re.compile(r"[A-Z]{1,10}"),
    "ms": _NUMBER,
    "request_id": re.compile(r"req_[a-z0-9]{26}"),
    "route": re.compile(r"(?:/(?:[a-z0-9_.\-]{1,40}|\{[a-z_:]{1,40}\}))*/?|unmatched"),
    "size": _NUMBER,
    "state": re.compile(_CODE),
    "status": _NUMBER,
    "user_id": re.compile(rf"{_OURS}|system|local"),
    "worker_id": re.compile(_OURS),
}
"""What may be logged: a field's name and the form of its values."""

_EVENT = re.compile(r"[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*")
_TEMPLATE = re.compile(r"[ -~\n]{1,200}")
_TEMPLATES_OF = ("uvicorn", "uvicorn.error")
_console = False


class _Line(str):
    """A rendered line; tells ours from other libraries'."""

    __slots__ = ()


def logger(name: str) -> Any:
    """A logger of ours.

    Args:
        name: 'keepwell.' and a room.
    """
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _safe, _render],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
        logger_name=name,
    )


def configure(level: str, form: str, stream: IO[str] | None = None) -> None:
    """Send all logs of the process, ours and other libraries', to one stream.

    Args:
        level: least severe level.
        form: 'json' for machines or 'console' for people.
        stream: default: standard error.
    """
    global _console
    _console = form == "console"
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # other libraries' chatter says nothing without its values
    for name in ("keepwell", "uvicorn"):
        logging.getLogger(name).setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = True


def where(error: BaseException, most: int = 12) -> list[str]:
    """The places an exception went through, innermost last: module file, line, function."""
    frames = traceback.extract_tb(error.__traceback__)[-most:]
    return [f"{f.filename.rpartition('/')[2]}:{f.lineno}:{f.name}" for f in frames]


def _safe(_logger: Any, level: str, given: Any) -> dict[str, Any]:
    event = str(given.pop("event", ""))
    line: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": "error" if level == "exception" else level,
        "logger": given.pop("logger_name", "keepwell"),
        "event": event if _EVENT.fullmatch(event) else "unnamed",
    }
    error = given.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        line["error"] = type(error).__name__
        line["where"] = where(error)
    left_out = 0
    for name, value in given.items():
        if value is None:
            continue
        if acceptable(name, value):
            line[name] = value
        else:
            left_out += 1
    if left_out:
        line["left_out"] = left_out
    return line


def acceptable(name: str, value: object) -> bool:
    """Whether a field may be logged with this value."""
    form = FIELDS.get(name)
    if form is None:
        return False
    if isinstance(form, tuple):
        return isinstance(value, form) and not isinstance(value, bool)
    return isinstance(value, str) and form.fullmatch(value) is not None


def _render(_logger: Any, _level: str, line: Any) -> _Line:
    if not _console:
        return _Line(json.dumps(line, ensure_ascii=True, separators=(",", ":")))
    rest = " ".join(f"{k}={v}" for k, v in line.items() if k not in ("at", "level", "event"))
    return _Line(f"{line['at']} {line['level']:<7} {line['event']} {rest}")


class _Formatter(logging.Formatter):
    """Writes our lines as they are, and of others only what cannot hold a value."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for a record."""
        if isinstance(record.msg, _Line):
            return record.msg
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": "foreign",
        }
        template = record.msg
        if (
            record.name in _TEMPLATES_OF
            and isinstance(template, str)
            and (_TEMPLATE.fullmatch(template))
        ):
            line["template"] = template.strip()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"] = type(error).__name__
            line["where"] = where(error)
        return str(_render(None, "", line))
