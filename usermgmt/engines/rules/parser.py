"""From words to a tree: CEL's grammar and precedence (cel-spec, langdef), without macros, maps, bytes and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usermgmt.engines.rules.errors import BadSyntax, TooLarge
from usermgmt.engines.rules.lexer import Token, text, tokens
from usermgmt.engines.rules.syntax import Call, Items, Literal, Name, Operation
from usermgmt.engines.rules.types import (
    BOOL,
    DEPTH,
    DOUBLE,
    HIGHEST,
    INT,
    ITEMS,
    LONGEST,
    LOWEST,
    NODES,
    NULL,
    STRING,
)
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from usermgmt.engines.rules.syntax import Syntax

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"==", "!=", "<", "<=", ">", ">=", "in"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
"""Binary operators from the loosest to the tightest; all of them group to the left."""
_WORDS = {"true": (True, BOOL), "false": (False, BOOL), "null": (None, NULL)}
_RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop"),
        *("namespace", "package", "return", "var", "void", "while"),
    )
)
_MEANT = {
    "and": N_("write && for and"),
    "or": N_("write || for or"),
    "not": N_("write ! for not"),
    "is": N_("write == to compare, and has(FIELD) to ask whether there is a value"),
    "like": N_("write startsWith, endsWith or contains"),
}
"""What people write who think of SQL."""


def parse(source: str) -> Syntax:
    """Return the tree of ``source``; raises ``BadSyntax``, ``TooLarge``."""
    if len(source) > LONGEST:
        problem = _("it is longer than {n} characters").format(n=LONGEST)
        raise TooLarge.at(source, 0, problem)
    parser = _Parser(source)
    if parser.next.kind == "end":
        raise BadSyntax.at(source, 0, _("it is empty"))
    found = parser.expression()
    if parser.next.kind != "end":
        raise parser.unexpected()
    return found


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._at = 0
        self._nodes = 0
        self._items = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _took(self, sign: str) -> Token | None:
        return self._take() if self.next.kind in ("sign", "name") and self.next.text == sign else None

    def _expect(self, sign: str) -> Token:
        token = self._took(sign)
        if token is None:
            raise self.unexpected(sign)
        return token

    def unexpected(self, wanted: str = "") -> BadSyntax:
        token = self.next
        hint = _MEANT.get(token.text.lower())
        if token.kind == "end":
            problem = _("it ends too early")
            if wanted:
                problem = _("it ends too early: {sign} is missing").format(sign=wanted)
        elif wanted:
            problem = _("{sign} is missing").format(sign=wanted)
        else:
            problem = _("this was not expected here")
        return BadSyntax.at(self._source, token.at, problem, hint)

    def _counted(self, node: Syntax) -> Syntax:
        self._nodes += 1
        if self._nodes > NODES:
            problem = _("it has more than {n} operators and values").format(n=NODES)
            hint = N_("compare with a list: FIELD in [...]")
            raise TooLarge.at(self._source, node.at, problem, hint)
        if node.depth > DEPTH:
            raise self._too_deep(node.at)
        return node

    def _too_deep(self, at: int) -> TooLarge:
        return TooLarge.at(self._source, at, _("it is nested deeper than {n} levels").format(n=DEPTH))

    # -- operators, from the loosest to the tightest -------------------------------------------------------------------

    def expression(self) -> Syntax:
        self._depth += 1
        if self._depth > DEPTH:
            raise self._too_deep(self.next.at)
        # each alternative is one more `? :`, and stands to the right of the one before it
        made = self._many("||")
        if token := self._took("?"):
            yes = self._many("||")
            self._expect(":")
            made = self._counted(Operation((made, yes, self.expression()), token.at, "?"))
        self._depth -= 1
        return made

    def _many(self, sign: str) -> Syntax:
        """Return the operands of ``||`` or ``&&`` side by side, so that thousands of them are no deeper than two."""
        first = self._many("&&") if sign == "||" else self._binary(0)
        at = self.next.at
        parts = [first]
        while self._took(sign):
            parts.append(self._many("&&") if sign == "||" else self._binary(0))
        return first if len(parts) == 1 else self._counted(Operation(tuple(parts), at, sign))

    def _binary(self, level: int) -> Syntax:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self.next.kind in ("sign", "name") and self.next.text in _LEVELS[level]:
            token = self._take()
            right = self._binary(level + 1)
            left = self._counted(Operation((left, right), token.at, token.text))
        return left

    def _unary(self) -> Syntax:
        signs: list[Token] = []
        while self.next.text in ("!", "-") and self.next.kind == "sign":
            if self.next.text == "-" and self._tokens[self._at + 1].kind in ("int", "double"):
                break
            if signs and self.next.text != signs[-1].text:
                raise self.unexpected()
            signs.append(self._take())
        made = self._member()
        for token in reversed(signs):
            made = self._counted(Operation((made,), token.at, "!" if token.text == "!" else "neg"))
        return made

    # -- values --------------------------------------------------------------------------------------------------------

    def _member(self) -> Syntax:
        made = self._primary()
        while True:
            if self._took("."):
                made = self._selected(made)
            elif token := self._took("["):
                made = self._indexed(made, token)
            else:
                return made

    def _selected(self, of: Syntax) -> Syntax:
        token = self._take()
        if token.kind != "name" or token.text in _WORDS or token.text == "in":
            self._at -= 1
            raise self.unexpected()
        if self._took("("):
            args = self._arguments()
            return self._counted(Call((of, *args), token.at, token.text, method=True))
        if not isinstance(of, Name):
            raise BadSyntax.at(self._source, token.at, _("only a field has parts"))
        return self._part(of, token.text)

    def _indexed(self, of: Syntax, token: Token) -> Syntax:
        key = self.expression()
        self._expect("]")
        if not isinstance(of, Name) or not isinstance(key, Literal) or not isinstance(key.value, str):
            problem = _("only a text in quotes can stand in these brackets, behind a field")
            raise BadSyntax.at(self._source, token.at, problem)
        return self._part(of, key.value)

    def _part(self, of: Name, part: str) -> Name:
        if len(of.parts) == DEPTH:
            raise self._too_deep(of.at)
        return Name((*of.parts, part), of.at)

    def _arguments(self) -> tuple[Syntax, ...]:
        if self._took(")"):
            return ()
        args = [self.expression()]
        while self._took(","):
            args.append(self.expression())
        self._expect(")")
        return tuple(args)

    def _primary(self) -> Syntax:
        token = self.next
        match token.kind:
            case "int" | "double":
                return self._number()
            case "string":
                self._take()
                return self._counted(Literal(text(self._source, token), STRING, token.at))
            case "name":
                return self._named()
        if self._took("-"):
            return self._number(-1, token.at)
        if self._took("("):
            made = self.expression()
            self._expect(")")
            return made
        if self._took("["):
            return self._list(token.at)
        raise self.unexpected()

    def _named(self) -> Syntax:
        token = self._take()
        if token.text in _WORDS:
            value, kind = _WORDS[token.text]
            return self._counted(Literal(value, kind, token.at))
        if token.text in _RESERVED:
            self._at -= 1
            raise self.unexpected()
        if self._took("("):
            return self._counted(Call(self._arguments(), token.at, token.text))
        return self._counted(Name((token.text,), token.at))

    def _list(self, at: int) -> Syntax:
        items = []
        while not self._took("]"):
            items.append(self.expression())
            if isinstance(items[-1], Literal):
                # a plain value, of which there may be many
                self._nodes -= 1
            self._items += 1
            if self._items > ITEMS:
                problem = _("its lists have more than {n} values").format(n=ITEMS)
                raise TooLarge.at(self._source, items[-1].at, problem)
            if not self._took(","):
                self._expect("]")
                break
        return self._counted(Items(tuple(items), at))

    def _number(self, sign: int = 1, at: int = -1) -> Syntax:
        token = self._take()
        at = token.at if at < 0 else at
        if self.next.kind == "name" and self.next.at == token.at + len(token.text):
            # 90d, 1u, 0xg
            raise BadSyntax.at(self._source, token.at, _("this is not a number"))
        if token.kind == "double":
            number = sign * float(token.text)
            if number in (float("inf"), float("-inf")):
                raise BadSyntax.at(self._source, at, _("this number is too large"))
            return self._counted(Literal(number, DOUBLE, at))
        # the digits first: Python takes its time over thousands of them
        short = len(token.text.lstrip("0")) <= 20
        value = sign * int(token.text, 16 if token.text[:2] in ("0x", "0X") else 10) if short else 0
        if not (short and LOWEST <= value <= HIGHEST):
            raise BadSyntax.at(self._source, at, _("this number is too large"))
        return self._counted(Literal(value, INT, at))
