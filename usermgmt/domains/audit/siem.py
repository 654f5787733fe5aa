"""The log for the systems that gather logs: CEF and ECS, one line an entry, without anything personal.

They cannot be verified as the export in NDJSON can; each line has the entry's hash, by which it is found there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt import __version__
from usermgmt.kernel.audit.entries import parsed
from usermgmt.kernel.clock import from_text
from usermgmt.kernel.events import E
from usermgmt.kernel.text import json_neutral, neutral
from usermgmt.kernel.tree import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable

    from usermgmt.kernel.audit.format import EntryRow

ECS_VERSION = "8.11.0"
_SEVERITY = {"ok": 3, "failed": 5, "denied": 7}
"""Of 10, as CEF has it: what was refused for want of a right deserves a look, what was merely wrong less of one."""
_OUTCOME = {"ok": "success", "denied": "failure", "failed": "failure"}
_CATEGORY = {"access": "iam", "audit": "database", "data": "database", "org": "iam", "store": "database", "user": "iam"}
"""Categories of ECS by the first word of the action; an action of another group is a matter of configuration."""
_TYPE = {
    E.AUDIT_EXPORT: "access",
    E.AUDIT_PRUNE: "deletion",
    E.AUDIT_RESTATE: "info",
    E.DATA_EXPORT: "access",
    E.DATA_REVEAL: "access",
    E.STORE_BACKUP: "access",
    E.STORE_INIT: "creation",
    E.USER_ADD: "creation",
    E.USER_REMOVE: "deletion",
}
"""What an action does, as ECS names it, where that is not a change."""


class Event:
    """What both formats tell of an entry, in plain values; a text that was meddled with stays a text."""

    def __init__(self, row: EntryRow) -> None:
        (
            self.seq,
            self.at,
            self.change_id,
            self.actor,
            via,
            self.action,
            self.target,
            self.outcome,
            body,
            _,
            self.hash,
        ) = row
        facts, came = parsed(body), parsed(via)
        self.code = str(facts.get("code") or "") if self.outcome != "ok" else ""
        count = facts.get("count")
        self.count = count if isinstance(count, int) and not isinstance(count, bool) else None
        changes = facts.get("changes")
        self.changed = sorted(map(str, changes)) if isinstance(changes, dict) else []
        self.command, self.os_uid = str(came.get("command") or ""), came.get("os_uid")
        kind, _colon, uid = self.target.partition(":")
        self.target_uid = uid if kind == "user" else ""


def cef(store: str) -> Callable[[EntryRow], bytes]:
    """Return what writes an entry as a line of CEF (ArcSight Common Event Format, version 0)."""

    def line(row: EntryRow) -> bytes:
        one = Event(row)
        head = ("CEF:0", PROGRAM, PROGRAM, __version__, one.action, f"{one.action} {one.outcome}")
        severity = str(_SEVERITY.get(one.outcome, 5))
        extension = {
            "rt": _milliseconds(one.at),
            "externalId": one.seq,
            "act": one.action,
            "outcome": _OUTCOME.get(one.outcome, one.outcome),
            "reason": one.code,
            "suser": one.actor,
            "suid": one.os_uid,
            "duid": one.target_uid,
            "cnt": one.count if one.action == E.DENIALS else None,
            **_labelled("change", "target", "hash", "store", "fields", "command"),
            "cs1": one.change_id,
            "cs2": one.target,
            "cs3": one.hash,
            "cs4": store,
            "cs5": ",".join(one.changed),
            "cs6": one.command,
        }
        pairs = (f"{name}={_value(value)}" for name, value in extension.items() if value not in (None, ""))
        return f"{'|'.join(map(_header, head))}|{severity}|{' '.join(pairs)}\n".encode("utf-8", "backslashreplace")

    return line


def _labelled(*names: str) -> dict[str, str]:
    return {f"cs{number}Label": name for number, name in enumerate(names, 1)}


def _milliseconds(at: str) -> int | None:
    try:
        return int(from_text(at).timestamp() * 1000)
    except ValueError:
        return None


def _header(text: str) -> str:
    return neutral(text).replace("\\", "\\\\").replace("|", "\\|")


def _value(value: object) -> str:
    # a line break has an escape of its own, everything else that ends or hides a line is written out
    lines = (neutral(line).replace("\\", "\\\\").replace("=", "\\=") for line in re.split("\r\n|\r|\n", str(value)))
    return "\\n".join(lines)


def ecs(store: str) -> Callable[[EntryRow], bytes]:
    """Return what writes an entry as a line of NDJSON in the Elastic Common Schema, version 8."""

    def line(row: EntryRow) -> bytes:
        made = orjson.dumps(_ecs(Event(row), store), default=str).decode()
        return (json_neutral(made) + "\n").encode("utf-8", "backslashreplace")

    return line


def _ecs(one: Event, store: str) -> dict[str, Any]:
    labels = {
        "change_id": one.change_id,
        "target": one.target,
        "store": store,
        "command": one.command,
        "fields": ",".join(one.changed),
        "count": None if one.count is None else str(one.count),
    }
    kind, _colon, operator = one.actor.partition(":")
    user: dict[str, Any] = {"name": one.actor, "id": operator if kind == "operator" else str(one.os_uid)}
    if one.target_uid:
        user["target"] = {"id": one.target_uid}
    return {
        "@timestamp": one.at,
        "ecs": {"version": ECS_VERSION},
        "message": f"{one.action} {one.outcome}: {one.target} by {one.actor}",
        "event": {
            "kind": "event",
            "module": PROGRAM,
            "dataset": f"{PROGRAM}.audit",
            "provider": PROGRAM,
            "action": one.action,
            "category": [_CATEGORY.get(one.action.partition(".")[0], "configuration")],
            "type": _types(one),
            "outcome": _OUTCOME.get(one.outcome, "unknown"),
            "severity": _SEVERITY.get(one.outcome, 5),
            "sequence": one.seq,
            # a number comes again after a restore, a hash does not
            "id": one.hash,
            "hash": one.hash,
        },
        "user": user,
        **({"error": {"code": one.code}} if one.code else {}),
        "service": {"type": PROGRAM, "version": __version__},
        "labels": {name: value for name, value in labels.items() if value},
    }


def _types(one: Event) -> list[str]:
    types = [_TYPE.get(one.action, "change")]  # type: ignore[call-overload]
    if one.outcome == "ok":
        return types
    return [*types, "denied" if one.outcome == "denied" else "error"]
