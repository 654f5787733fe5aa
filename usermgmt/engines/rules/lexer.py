"""The words of an expression: one regular expression with no way back, so that no text takes long."""

from __future__ import annotations

import re
from typing import NamedTuple

from usermgmt.engines.rules.errors import BadSyntax
from usermgmt.kernel.i18n import N_, _

_TOKENS = re.compile(
    r"""
    (?P<space>(?:[ \t\r\n\f]|//[^\r\n]*+)++)
    | (?P<string>
        [rR](?:\"\"\"(?:[^"]|"(?!""))*+\"\"\"|'''(?:[^']|'(?!''))*+'''|"[^"\r\n]*+"|'[^'\r\n]*+')
        | \"\"\"(?:[^"\\]|\\.|"(?!""))*+\"\"\"
        | '''(?:[^'\\]|\\.|'(?!''))*+'''
        | "(?:[^"\\\r\n]|\\.)*+"
        | '(?:[^'\\\r\n]|\\.)*+'
      )
    | (?P<double>[0-9]*+\.[0-9]++(?:[eE][+-]?[0-9]++)?|[0-9]++[eE][+-]?[0-9]++)
    | (?P<int>0[xX][0-9a-fA-F]++|[0-9]++)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*+)
    | (?P<sign>&&|\|\||==|!=|<=|>=|[<>!?:+\-*/%()\[\].,])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|)"
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MEANT = {
    "=": N_("write == to compare"),
    "&": N_("write && for and"),
    "|": N_("write || for or"),
    "{": N_("there are no maps here"),
    **dict.fromkeys("“”‘’「」＂＇", N_("write plain quotes: \" or '")),
    **dict.fromkeys("，（）＝！＆｜＜＞。：［］", N_("write half-width signs")),
}
"""What people write who think of another language, or of another keyboard."""


class Token(NamedTuple):
    """A word of the source: its ``kind`` (a group of the expression above, or ``end``), what it says, and where."""

    kind: str
    text: str
    at: int


def tokens(source: str) -> list[Token]:
    """Return the words of ``source`` with one of kind ``end`` behind them; raises ``BadSyntax``."""
    found = []
    at = 0
    while at < len(source):
        match = _TOKENS.match(source, at)
        if match is None:
            raise _stray(source, at)
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0], at))
        at = match.end()
    found.append(Token("end", "", at))
    return found


def _stray(source: str, at: int) -> BadSyntax:
    char = source[at]
    if char in "\"'" or source[at : at + 2] in ('r"', "r'", 'R"', "R'"):
        return BadSyntax.at(source, at, _("this text has no end"), N_("close it with the quote that it begins with"))
    problem = _("{char} has no meaning here").format(char=char)
    return BadSyntax.at(source, at, problem, _MEANT.get(char))


def text(source: str, token: Token) -> str:
    """Return what a literal of kind ``string`` says; raises ``BadSyntax`` for escapes that CEL does not know."""
    raw = token.text[0] in "rR"
    quoted = token.text[raw:]
    quotes = 3 if quoted[:3] in ('"""', "'''") and len(quoted) >= 6 else 1
    said = quoted[quotes:-quotes]
    start = token.at + raw + quotes
    if not raw and "\\" in said:
        said = _ESCAPE.sub(lambda match: _unescaped(source, start, match), said)
    for char in said:
        # no record holds one, and PostgreSQL takes none
        if char == "\0" or "\ud800" <= char <= "\udfff":
            problem = _("a text cannot hold {char}").format(char=f"U+{ord(char):04X}")
            raise BadSyntax.at(source, token.at, problem)
    return said


def _unescaped(source: str, start: int, match: re.Match[str]) -> str:
    simple, *codes, octal = match.groups()
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    code = next((int(one, 16) for one in codes if one is not None), None)
    if octal is not None:
        code = int(octal, 8)
    if code is None or code > 0x10FFFF:
        problem = _("there is no such escape")
        raise BadSyntax.at(source, start + match.start(), problem, N_("write a backslash as \\\\, or begin with r"))
    return chr(code)
