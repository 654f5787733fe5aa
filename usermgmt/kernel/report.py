"""How an error is told: one line and a hint for people, one JSON line for machines, always on standard error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.kernel.i18n import _
from usermgmt.kernel.text import json_neutral, neutral

if TYPE_CHECKING:
    from usermgmt.kernel.errors import UsermgmtError
    from usermgmt.kernel.streams import Streams

_LONE = re.compile("[\ud800-\udfff]")


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
    """Return ``value`` with lone surrogates, as arguments that are no text have them, replaced: JSON cannot hold them."""
    match value:
        case str():
            return _LONE.sub("\ufffd", value)
        case dict():
            return {name: _whole(item) for name, item in value.items()}
        case list():
            return [_whole(item) for item in value]
    return value


def report(streams: Streams, error: UsermgmtError, *, json: bool, name: str = "") -> None:
    """Tell ``error`` on standard error; ``name`` says which target of many it is about."""
    if json:
        streams.stderr.write(json_neutral(orjson.dumps(envelope(error), default=str).decode()).encode() + b"\n")
        streams.stderr.flush()
        return
    prefix = f"{neutral(name)}: " if name else ""
    streams.err(_("error: {message}").format(message=prefix + error.message) + "\n")
    if error.advice:
        streams.err(_("hint: {hint}").format(hint=error.advice) + "\n")
