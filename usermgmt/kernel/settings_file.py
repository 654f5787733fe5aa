"""One configuration file: opened with suspicion, read as TOML, and every key found on its line."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING

from usermgmt.kernel.errors import BadConfiguration, FileMissing, said
from usermgmt.kernel.i18n import N_, _, retold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

MAX_BYTES = 1 << 20
# tomllib takes cubic time over the parts of one dotted key: 16,000 of them took 5 s
_MAX_DOTS = 200
_MAX_DEPTH = 8


class TomlFault(Exception):
    """The text is not TOML that we read: ``problem``, on ``line``, which is 0 where the parser names none."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


class ConfigFile:
    """A file that passed the checks; ``known`` are the keys below which nothing is looked for."""

    __slots__ = ("_lines", "gid", "known", "mode", "path", "text")

    def __init__(self, path: Path, text: str, known: Collection[str], mode: int = 0o600, gid: int = -1) -> None:
        self.path = path
        self.text = text
        self.known = known
        self.mode = mode
        self.gid = gid
        self._lines: dict[str, int] | None = None

    def values(self) -> dict[str, object]:
        """Return each dotted key with its value as TOML has it; raises ``TomlFault``."""
        return dict(_flat(parse(self.text), self.known))

    def place(self, key: str) -> str:
        """Return where ``key`` stands, as ``path:line``; looked for only when somebody asks."""
        if self._lines is None:
            self._lines = {name: line for line, name, _value in survey(self.text, self.known)}
        return f"{self.path}:{self._lines.get(key, 1)}"


def read(path: Path, euid: int, known: Collection[str]) -> ConfigFile:
    """Read a configuration file that nobody but root and ``euid`` can have written.

    Raises ``FileMissing``, ``BadConfiguration``.
    """
    try:
        # O_NOFOLLOW: a planted link must not lead us to somebody else's file; O_NONBLOCK: a FIFO must not hold us up
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise FileMissing(path=path) from None
    except OSError as error:
        raise _unsafe(path, _open_problem(error)) from None
    try:
        info = os.fstat(descriptor)
        _check(path, info, euid)
        data = _bytes(descriptor)
    except OSError as error:
        raise _unsafe(path, said(error)) from None
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        raise _unsafe(path, _("it is larger than {size} bytes").format(size=MAX_BYTES))
    return ConfigFile(path, _decoded(path, data), known, stat.S_IMODE(info.st_mode), info.st_gid)


def _unsafe(path: Path, problem: str, hint: str = "") -> BadConfiguration:
    return BadConfiguration(hint=hint, path=path, problem=problem)


def _open_problem(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return _("it is a symbolic link")
    if error.errno == errno.ENXIO:
        return _("it is not a regular file")
    return said(error)


def _check(path: Path, info: os.stat_result, euid: int) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise _unsafe(path, _("it is a directory"))
    if not stat.S_ISREG(info.st_mode):
        raise _unsafe(path, _("it is not a regular file"))
    if info.st_uid not in (0, euid):
        raise _unsafe(path, _("it belongs to another account"))
    if info.st_mode & 0o022:
        raise _unsafe(path, _("other accounts may write to it"), N_("chmod go-w {path}"))


def _bytes(descriptor: int) -> bytes:
    # the size that fstat told may be outgrown meanwhile, and is 0 in /proc
    data = b""
    while len(data) <= MAX_BYTES and (more := os.read(descriptor, MAX_BYTES + 1)):
        data += more
    return data


def _decoded(path: Path, data: bytes) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadConfiguration(hint="", path=f"{path}:{line}", problem=_("it is not UTF-8")) from None


_BARE_KEY = re.compile(r"""\s*\[*\s*[\w.-]*[^\W\x00-\x7f][^"'=\]]*[=\]]""")
"""A line that begins with a key, or names a table, as whoever does not know that TOML forbids it would write it."""
_KEY_MAX = 200
"""How much of a line is looked at for that."""


def parse(text: str) -> dict[str, object]:
    """Return the tables of a TOML document; raises ``TomlFault``."""
    import tomllib

    for number, content in enumerate(text.split("\n"), 1):
        if content.count(".") > _MAX_DOTS and _outside_texts(content, text) > _MAX_DOTS:
            raise TomlFault(number, _("the line has more than {count} dots").format(count=_MAX_DOTS))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, problem = _located(str(error))
        if line and _BARE_KEY.match(text.split("\n")[line - 1][:_KEY_MAX]):
            problem = _("a key with other letters than ASCII stands in quotes")
        raise TomlFault(line, problem) from None
    except RecursionError:
        raise TomlFault(0, _("it is nested too deeply")) from None
    except ValueError:
        # int() refuses more than 4,300 digits
        raise TomlFault(0, _("it holds a number with too many digits")) from None


def _outside_texts(line: str, document: str) -> int:
    """Count the dots of ``line`` that may be those of keys."""
    if '"""' in document or "'''" in document:
        # a text may have begun on another line
        return line.count(".")
    return re.sub(r'"(?:\\.|[^"\\])*"|\'[^\']*\'', "", line).count(".")


TOML_PROBLEMS = (
    N_("Cannot overwrite a value"),
    N_("Escaped character is not a Unicode scalar value"),
    N_("Expected '=' after a key in a key/value pair"),
    N_("Expected ']' at the end of a table declaration"),
    N_("Expected ']]' at the end of an array declaration"),
    N_("Expected newline or end of document after a statement"),
    N_("Invalid date or datetime"),
    N_("Invalid hex value"),
    N_("Invalid initial character for a key part"),
    N_("Invalid statement"),
    N_("Invalid value"),
    N_("Unclosed array"),
    N_("Unclosed inline table"),
    N_("Unescaped '\\' in a string"),
    N_("Unterminated string"),
)
"""What the library says of a document, marked for the catalogue."""
_TOML_NAMING = (
    (r"Cannot declare \((?P<key>.+?),?\) twice", N_("{key} is declared twice")),
    (r"Cannot mutate immutable namespace \((?P<key>.+?),?\)", N_("{key} is complete already")),
    (r"Duplicate inline table key (?P<key>.+)", N_("{key} stands twice in an inline table")),
    (r"Expected (?P<what>'.'|\".\")", N_("{what} is expected")),
    (r"(?:Found invalid|Illegal) character (?P<what>.+)", N_("the character {what} is not allowed")),
)
"""What the library says of a document where it names a key or a character."""


def _located(message: str) -> tuple[int, str]:
    # the attributes lineno and msg came with Python 3.14; the message says the same in every version
    match = re.fullmatch(r"(.*) \(at (?:line ([0-9]+), column [0-9]+|end of document)\)", message, re.DOTALL)
    return (int(match[2] or 0), retold(_(match[1]), _TOML_NAMING)) if match else (0, message)


def _flat(table: Mapping[str, object], known: Collection[str], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        key = prefix + (name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"')
        if isinstance(value, dict) and value and key not in known and key.count(".") < _MAX_DEPTH:
            yield from _flat(value, known, key + ".")
        else:
            yield key, value


_LEXEME = r"""
      \"{3} (?: \\. | [^\\] )*? (?: \"{3,5} | \Z )   # a multi-line basic string, open ones run to the end
    | '{3} .*? (?: '{3,5} | \Z )
    | \" (?: \\. | [^\\"\n] )* \"
    | ' [^'\n]* '
    | \# [^\n]*
    | [^"'\#\n\[\]{}]+
    | .
"""


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Cut a TOML document, valid or not, into its statements, each with the number of its first line."""
    line, start, depth = 1, 0, 0
    for token in re.finditer(_LEXEME, text, re.DOTALL | re.VERBOSE):
        if token[0] in ("[", "{"):
            depth += 1
        elif token[0] in ("]", "}"):
            depth = max(depth - 1, 0)
        elif token[0] == "\n" and not depth:
            yield line, text[start : token.start()]
            line += text.count("\n", start, token.end())
            start = token.end()
    yield line, text[start:]


def survey(text: str, known: Collection[str]) -> Iterator[tuple[int, str, object]]:
    """Read a document, valid or not, by its statements: line, key and value of each; a fault stands as a value."""
    first: dict[str, int] = {}
    path: list[str] | None = []
    for line, statement in _statements(text.replace("\r\n", "\n")):
        kind = _kind(statement)
        try:
            table = parse(statement)
        except TomlFault as fault:
            yield line + max(fault.line, 1) - 1, "", fault
            path = None if kind else path
            continue
        if kind:
            path = _header(table) if kind == "[" else None
        elif path is not None:
            table = _nested(table, path) if table else {}
        for key, value in _flat(table, known) if kind or path is not None else ():
            yield line, key, value
            again = line if kind == "[[" else first.setdefault(kind + key, line)
            if again != line:
                yield line, key, TomlFault(line, _("{key} stands on line {line} already").format(key=key, line=again))


def _kind(statement: str) -> str:
    """``[`` for the header of a table, ``[[`` for one of an array of tables, empty for anything else."""
    match = re.match(r"\s*(\[{1,2})", statement)
    return match[1] if match else ""


def _header(table: Mapping[str, object]) -> list[str]:
    path = []
    while table:
        name, inner = next(iter(table.items()))
        path.append(name)
        table = inner if isinstance(inner, dict) else {}
    return path


def _nested(table: dict[str, object], path: list[str]) -> dict[str, object]:
    for name in reversed(path):
        table = {name: table}
    return table
