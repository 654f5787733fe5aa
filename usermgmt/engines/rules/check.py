"""From what is written to what it means: names become fields, operators the operations of their types."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NoReturn

from usermgmt.engines.rules import values
from usermgmt.engines.rules.errors import UnknownName, WrongType
from usermgmt.engines.rules.overloads import ARITHMETIC, FUNCTIONS, METHODS, OPERATORS, TIMES
from usermgmt.engines.rules.syntax import Call, Items, Literal, Name, Operation
from usermgmt.engines.rules.tree import Apply, Broken, Const, Ref
from usermgmt.engines.rules.types import (
    BOOL,
    DOUBLE,
    DURATION,
    EMPTY_LIST,
    HIGHEST,
    INT,
    LOWEST,
    MAP,
    NULL,
    SAFE,
    STRING,
    TIMESTAMP,
    Failed,
    Type,
    list_of,
)
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from usermgmt.engines.rules.overloads import Overload
    from usermgmt.engines.rules.schema import Schema
    from usermgmt.engines.rules.syntax import Syntax
    from usermgmt.engines.rules.tree import Node

_SIZE = (0, 1 << 31)
_CALLABLE = ("has", *FUNCTIONS)


def check(source: str, syntax: Syntax, schema: Schema) -> Node:
    """Return the tree of an expression that is true or false; raises ``UnknownName``, ``WrongType``."""
    checker = _Checker(source, schema)
    found = checker.node(syntax)
    if found.type != BOOL:
        checker.wrong(syntax.at, _("it must be true or false, and is of type {type}").format(type=found.type))
    if isinstance(found, Broken):
        checker.wrong(found.at, _(found.reason))
    return found


class _Checker:
    def __init__(self, source: str, schema: Schema) -> None:
        self._source = source
        self._schema = schema

    def wrong(self, at: int, problem: str, hint: str | None = None) -> NoReturn:
        raise WrongType.at(self._source, at, problem, hint)

    def node(self, syntax: Syntax) -> Node:
        match syntax:
            case Literal(value, kind, at):
                return _const(value, kind, at)
            case Name(parts, at):
                return self._named(parts, at)
            case Items():
                return self._items(syntax)
            case Call():
                return self._call(syntax)
        return self._operation(syntax)

    # -- names and values ----------------------------------------------------------------------------------------------

    def _named(self, parts: tuple[str, ...], at: int) -> Node:
        found = self._schema.find(parts)
        if found is None:
            self._unknown(parts, at)
        if not isinstance(found, tuple):
            return Ref(found, at, (LOWEST, HIGHEST) if found.type == INT else None)
        kind, value = found
        return _const(values.read(kind, value), kind, at) if kind != MAP else Const(value, MAP, at)

    def _unknown(self, parts: tuple[str, ...], at: int) -> NoReturn:
        near = self._schema.near(parts)
        problem = _("there is no field {name}").format(name=".".join(parts))
        hint = N_("did you mean {near}?") if near else N_("usermgmt help expressions lists the fields")
        raise UnknownName.at(self._source, at, problem, hint, name=".".join(parts), near=near)

    def _items(self, syntax: Items) -> Node:
        items = [self.node(item) for item in syntax.args]
        for item in items:
            if not isinstance(item, Const) or item.type in (MAP, NULL) or item.type.item is not None:
                self.wrong(item.at, _("a list holds plain values"))
        if not items:
            return Const((), EMPTY_LIST, syntax.at)
        kind = DOUBLE if any(item.type == DOUBLE for item in items) else items[0].type
        found = [_promoted(item, kind) for item in items]
        for item in found:
            if item.type != kind:
                problem = _("a list holds values of one type: {type} and {other}").format(type=kind, other=item.type)
                self.wrong(item.at, problem)
        return Const(
            tuple(dict.fromkeys(item.value for item in found if isinstance(item, Const))), list_of(kind), syntax.at
        )

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _call(self, call: Call) -> Node:
        if call.name == "has" and not call.method:
            return self._has(call)
        known = METHODS if call.method else FUNCTIONS
        if call.name not in known:
            self._no_function(call)
        args = tuple(self.node(arg) for arg in call.args)
        if call.name == "size" and len(args) == 1 and args[0].type.name == "list":
            return self._size(args[0], call.at)
        name = f".{call.name}" if call.method else call.name
        return self._applied(name, known[call.name], args, call.at)

    def _no_function(self, call: Call) -> NoReturn:
        near = _nearest(call.name, list(METHODS) if call.method else list(_CALLABLE))
        elsewhere = call.name in (FUNCTIONS if call.method else METHODS)
        problem = _("there is no function {name}").format(name=f".{call.name}" if call.method else call.name)
        hint: str | None = N_("did you mean {near}?") if near else N_("usermgmt help expressions lists the functions")
        if elsewhere:
            hint = N_("write {name}(VALUE)") if call.method else N_("write VALUE.{name}(...)")
        raise UnknownName.at(self._source, call.at, problem, hint, name=call.name, near=near)

    def _size(self, of: Node, at: int) -> Node:
        if isinstance(of, Const) and isinstance(of.value, tuple):
            self.wrong(of.at, _("the size of a list that is written out is known"))
        return Apply("size", (of,), INT, at, _SIZE)

    def _has(self, call: Call) -> Node:
        of = self.node(call.args[0]) if len(call.args) == 1 and isinstance(call.args[0], Name) else None
        if of is not None and (of.type == MAP or of.type.name == "list"):
            self.wrong(call.at, _("a list is always there"), N_("write size(LIST) > 0"))
        if not isinstance(of, Ref):
            self.wrong(call.at, _("has() takes a field"))
        return Apply("has", (of,), BOOL, call.at)

    # -- operators -----------------------------------------------------------------------------------------------------

    def _operation(self, operation: Operation) -> Node:
        args = tuple(self.node(arg) for arg in operation.args)
        match operation.sign:
            case "&&" | "||":
                return self._joined(operation, args)
            case "?":
                return self._either(operation, args)
            case "in":
                return self._in(args[0], args[1], operation.at)
        sign = "-" if operation.sign == "neg" else operation.sign
        return self._applied(sign, OPERATORS[operation.sign], args, operation.at)

    def _joined(self, operation: Operation, args: tuple[Node, ...]) -> Node:
        for arg in args:
            if arg.type != BOOL:
                problem = _("{sign} joins what is true or false, not {type}").format(sign=operation.sign, type=arg.type)
                self.wrong(arg.at, problem)
        absorbing = operation.sign == "||"
        if any(isinstance(arg, Const) and arg.value is absorbing for arg in args):
            return Const(absorbing, BOOL, operation.at)
        left = tuple(arg for arg in args if not isinstance(arg, Const))
        if not left:
            return Const(not absorbing, BOOL, operation.at)
        return left[0] if len(left) == 1 else Apply(operation.sign, left, BOOL, operation.at)

    def _either(self, operation: Operation, args: tuple[Node, ...]) -> Node:
        asked, yes, no = args
        if asked.type != BOOL:
            self.wrong(asked.at, _("before ? stands what is true or false, not {type}").format(type=asked.type))
        yes, no = _promoted(yes, no.type), _promoted(no, yes.type)
        if yes.type != no.type:
            problem = _("both sides of : are of one type, not {type} and {other}").format(type=yes.type, other=no.type)
            self.wrong(operation.at, problem)
        if yes.type.name in ("list", "map"):
            self.wrong(operation.at, _("a list stands behind in, or in size()"))
        if isinstance(asked, Const):
            return yes if asked.value else no
        if isinstance(asked, Broken):
            return Broken(asked.reason, yes.type, asked.at, _united(yes, no))
        return Apply("?", (asked, yes, no), yes.type, operation.at, _united(yes, no))

    def _in(self, item: Node, items: Node, at: int) -> Node:
        if items.type == MAP:
            return self._key(item, items, at)
        if items.type.name != "list":
            self.wrong(at, _("behind in stands a list, not {type}").format(type=items.type), _LIST_HINT)
        if items.type == EMPTY_LIST:
            items = Const((), list_of(item.type), items.at)
        item = _promoted(item, items.type.item or item.type)
        if item.type != items.type.item:
            problem = _("a list of {type} never holds {other}").format(type=items.type.item, other=item.type)
            self.wrong(at, problem)
        if isinstance(items, Ref):
            if not isinstance(item, Const | Ref):
                self.wrong(item.at, _("before in stands a plain value or a field"))
            return Apply("in", (item, items), BOOL, at)
        return self._folded(Apply("one_of", (item, items), BOOL, at))

    def _key(self, item: Node, family: Node, at: int) -> Node:
        if not isinstance(item, Const) or item.type != STRING or not isinstance(family, Const):
            self.wrong(item.at, _("before in stands a text in quotes"))
        return Apply("has", (self._named((str(family.value), str(item.value)), at),), BOOL, at)

    def _applied(self, name: str, known: tuple[Overload, ...], args: tuple[Node, ...], at: int) -> Node:
        if len(args) == 2 and len(known[0].takes) == 2:
            args = _promoted(args[0], args[1].type), _promoted(args[1], args[0].type)
        types = tuple(arg.type for arg in args)
        found = next((one for one in known if one.takes == types), None)
        if found is None:
            self._no_overload(name, known, types, at)
        op = found.op
        if not op:
            return args[0]
        if types[:1] == (DURATION,) and op == "later":
            args = args[1], args[0]
        if op in ARITHMETIC:
            args = tuple(_safe(arg) for arg in args)
        if op in ("/", "%") and isinstance(args[1], Const) and args[1].value == 0:
            return Broken(N_("division by zero"), INT, at, (0, 0))
        made = self._folded(Apply(op, args, found.returns, at, _reach(op, args)))
        if isinstance(made, Apply):
            self._refuse_beyond(made)
        return made

    def _no_overload(self, name: str, known: tuple[Overload, ...], types: tuple[Type, ...], at: int) -> NoReturn:
        if len(types) != len(known[0].takes):
            self.wrong(at, _("{name} takes another number of values").format(name=name))
        if NULL in types:
            self.wrong(at, _("a field is never null: it has a value or none"), N_("write has(FIELD) or !has(FIELD)"))
        if len(types) == 2:
            problem = _("{name} does not fit {type} and {other}").format(name=name, type=types[0], other=types[1])
        else:
            problem = _("{name} does not fit {type}").format(name=name, type=types[0])
        hint = None
        if {STRING, TIMESTAMP} <= set(types):
            hint = N_('write a time as timestamp("2026-12-31T00:00:00Z")')
        if {STRING, DURATION} <= set(types):
            hint = N_('write a span as duration("720h")')
        self.wrong(at, problem, hint)

    def _folded(self, apply: Apply) -> Node:
        """Return the result where all operands are values: constants are never computed by an engine."""
        broken = next((arg for arg in apply.args if isinstance(arg, Broken)), None)
        if broken is not None:
            return Broken(broken.reason, apply.type, broken.at, apply.reach)
        if not all(isinstance(arg, Const) for arg in apply.args):
            return apply
        try:
            value = values.OPERATIONS[apply.op](*(arg.value for arg in apply.args if isinstance(arg, Const)))
        except Failed as failed:
            if apply.op in ("timestamp", "duration"):
                self._unreadable(apply, str(failed))
            return Broken(str(failed), apply.type, apply.at, (0, 0) if apply.type == INT else None)
        return _const(value, apply.type, apply.at)

    def _unreadable(self, apply: Apply, reason: str) -> NoReturn:
        hint = N_("write 2026-12-31T00:00:00Z, with a zone")
        if apply.op == "duration":
            hint = N_("write hours, minutes, seconds: 720h, 1h30m, 45s; a day is 24h")
        self.wrong(apply.args[0].at, _(reason), hint)

    def _refuse_beyond(self, apply: Apply) -> None:
        """Refuse what an engine could not compute without a fault: whole numbers that leave 64 bits, times of times."""
        if apply.reach is not None and not LOWEST <= apply.reach[0] <= apply.reach[1] <= HIGHEST:
            self.wrong(apply.at, _("the result may be larger than a number of 64 bits"))
        if apply.op in ("timestamp", "duration"):
            self.wrong(apply.at, _("{name}() takes a text in quotes").format(name=apply.op))
        if apply.op in TIMES and not _computable(apply):
            hint = N_("compute with values first: FIELD + (DURATION + DURATION)")
            self.wrong(apply.at, _("a time that is computed cannot be computed with again"), hint)


_LIST_HINT = N_('write the values in brackets: FIELD in ["a", "b"]')


def _nearest(name: str, names: list[str]) -> str:
    from difflib import get_close_matches

    plain = name.replace("_", "").lower()[:100]
    close = get_close_matches(plain, [one.lower() for one in names], 1)
    return next((one for one in names if close and one.lower() == close[0]), "")


def _const(value: Any, kind: Type, at: int) -> Const:
    return Const(value, kind, at, (value, value) if kind == INT else None)


def _promoted(node: Node, kind: Type) -> Node:
    """Return a whole number that is written where a fraction is wanted as one, if it is exactly that."""
    if kind == DOUBLE and isinstance(node, Const) and isinstance(node.value, int) and node.type == INT:
        return Const(float(node.value), DOUBLE, node.at) if abs(node.value) <= SAFE else node
    return node


def _safe(node: Node) -> Node:
    """Return ``node`` so that the numbers of fields in it are small enough to compute with."""
    if isinstance(node, Ref):
        return Apply("safe", (node,), INT, node.at, (-SAFE, SAFE))
    if isinstance(node, Apply) and node.op == "?":
        asked, yes, no = node.args
        yes, no = _safe(yes), _safe(no)
        return Apply("?", (asked, yes, no), INT, node.at, _united(yes, no))
    return node


def _united(yes: Node, no: Node) -> tuple[int, int] | None:
    if yes.reach is None or no.reach is None:
        return None
    return min(yes.reach[0], no.reach[0]), max(yes.reach[1], no.reach[1])


def _reach(op: str, args: tuple[Node, ...]) -> tuple[int, int] | None:
    """Return between which numbers the result lies, whatever the operands are; None where it is no number."""
    if op == "length":
        return _SIZE
    reaches = [arg.reach for arg in args if arg.reach is not None]
    if op not in ARITHMETIC or len(reaches) != len(args):
        return None
    if op == "neg":
        return -reaches[0][1], -reaches[0][0]
    left, right = reaches
    if op in ("/", "%"):
        largest = max(map(abs, left))
        return -largest, largest
    compute = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[op]
    corners = [compute(a, b) for a, b in product(left, right)]
    return min(corners), max(corners)


def _computable(apply: Apply) -> bool:
    """Tell whether times are computed from fields and values only, and spans added are values."""
    plain = all(isinstance(arg, Ref | Const | Broken) for arg in apply.args)
    return plain and (apply.op == "between" or not isinstance(apply.args[1], Ref)) and not apply.op.startswith("span")
