"""Expressions asked of a record in memory: three-valued, as CEL is; a field without a value is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usermgmt.engines.rules import values
from usermgmt.engines.rules.tree import Apply, Broken, Const, Ref
from usermgmt.engines.rules.types import Failed, Unknown
from usermgmt.kernel.i18n import N_

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from usermgmt.engines.rules.tree import Node

    Ask = Callable[[Mapping[str, Any]], Any]

_ABSENT = N_("{name} has no value")
_FOREIGN = N_("the value of {name} is not of its type")


def predicate(node: Node) -> Ask:
    """Return the function that evaluates ``node`` for a record: a value, or ``Unknown``."""
    match node:
        case Const(value):
            known = frozenset(value) if isinstance(value, tuple) else value
            return lambda _record: known
        case Broken(reason, _type, at):
            unknown = Unknown(reason, at)
            return lambda _record: unknown
        case Ref():
            return _field(node)
        case Apply("&&" | "||"):
            return _joined(node)
        case Apply("?"):
            return _either(node)
        case Apply("has"):
            read = predicate(node.args[0])
            return lambda record: not isinstance(read(record), Unknown)
    return _applied(node)


def _field(ref: Ref) -> Ask:
    field = ref.field
    absent, foreign = Unknown(_ABSENT, ref.at, field.name), Unknown(_FOREIGN, ref.at, field.name)

    def read(record: Mapping[str, Any]) -> Any:
        found = field.read(record) if field.read is not None else record.get(field.name)
        if found is None:
            return absent
        try:
            return values.read(field.type, found)
        except (ValueError, TypeError):
            return foreign

    return read


def _joined(apply: Apply) -> Ask:
    """Ask every part until one decides: what is true beside an error is true in ``||``, as false is in ``&&``."""
    asks = [predicate(arg) for arg in apply.args]
    deciding = apply.op == "||"

    def ask(record: Mapping[str, Any]) -> Any:
        result: Any = not deciding
        for one in asks:
            found = one(record)
            if found is deciding:
                return found
            if isinstance(found, Unknown) and not isinstance(result, Unknown):
                result = found
        return result

    return ask


def _either(apply: Apply) -> Ask:
    asked, yes, no = (predicate(arg) for arg in apply.args)

    def ask(record: Mapping[str, Any]) -> Any:
        found = asked(record)
        if isinstance(found, Unknown):
            return found
        return (yes if found else no)(record)

    return ask


def _applied(apply: Apply) -> Ask:
    compute = values.OPERATIONS[apply.op]
    asks = [predicate(arg) for arg in apply.args]

    def ask(record: Mapping[str, Any]) -> Any:
        found = [one(record) for one in asks]
        for value in found:
            if isinstance(value, Unknown):
                return value
        try:
            return compute(*found)
        except Failed as failed:
            return Unknown(str(failed), apply.at)

    return ask
