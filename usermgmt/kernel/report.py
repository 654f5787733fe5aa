"""How an error is told: one line and a hint for people, one JSON line for machines, always on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.kernel.i18n import _
from usermgmt.kernel.text import json_neutral, neutral, whole

if TYPE_CHECKING:
    from usermgmt.kernel.errors import UsermgmtError
    from usermgmt.kernel.streams import Streams


def envelope(error: UsermgmtError) -> dict[str, Any]:
    """Return the error as the contract's JSON object."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "hint": error.advice,
            "exit_code": int(error.exit),
            "details": _whole(error.details),
        }
    }


def _whole(value: Any) -> Any:
    """Return ``value`` with every text in it such as JSON can hold."""
    match value:
        case str():
            return whole(value)
        case dict():
            return {name: _whole(item) for name, item in value.items()}
        case list():
            return [_whole(item) for item in value]
    return value


def report(streams: Streams, error: UsermgmtError, *, json: bool, name: str = "") -> None:
    """Tell ``error`` on standard error; ``name`` says which target of many it is about."""
    if json:
        streams.tell(json_neutral(orjson.dumps(envelope(error), default=str).decode()).encode() + b"\n")
        return
    name, message = neutral(name), error.message
    if name not in message:
        message = f"{name}: {message}"
    streams.err(_("error: {message}").format(message=message) + "\n")
    if error.advice:
        streams.err(_("hint: {hint}").format(hint=error.advice) + "\n")
