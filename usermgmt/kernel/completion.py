"""Completion on TAB: the shell's stub gives the line, this answers with words; never an error, never a trace of one.

The protocol is ours, since Typer's splits the line at blanks and loses quotes and colons. The stub sets
``_USERMGMT_COMPLETE`` to the shell's name. Answer, a line each: first ``:files`` (complete file names) or ``:nospace``,
where they hold, then the words, for other shells than bash each with a tab and its help. Nothing is parsed by Typer, so
that half a line or a wrong option does no harm, and neither pydantic nor SQLAlchemy is waited for.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usermgmt.kernel.signals import Stop

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_FILES = {"FILE", "DIR", "PATH"}
_BREAKS = " \t\n\"'><=;|&(:"  # bash's own COMP_WORDBREAKS


def complete(env: Mapping[str, str]) -> int:
    """Answer one TAB on standard output; always 0, since a shell has no use for another answer."""
    # whatever is wrong, the person is in the middle of a line
    with suppress(Exception, KeyboardInterrupt, Stop):
        sys.stdout.buffer.write("".join(f"{line}\n" for line in _answer(env, sys.argv[1:])).encode("utf-8", "replace"))
    return 0


def _answer(env: Mapping[str, str], argv: list[str]) -> Iterator[str]:
    shell = env["_USERMGMT_COMPLETE"]
    if shell == "bash":
        words, current, kept = split(env.get("COMP_LINE", ""), env.get("COMP_WORDBREAKS", _BREAKS))
        words = words[1:]
    else:
        words, current, kept = argv[:-1], argv[-1] if argv else "", 0
        # PowerShell may drop an empty argument, so its stub puts a dot before the last one
        current = current[1:] if shell == "powershell" else current
    found = Line(env, words, current).found()
    if found.files:
        yield ":files"
    if found.joined:
        yield ":nospace"
    for word, help_ in found.words:
        # bash replaces what follows the last break only
        yield word[kept:] if shell == "bash" else f"{word}\t{help_}" if help_ else word


def split(line: str, breaks: str) -> tuple[list[str], str, int]:
    """Cut a command line, up to the cursor, as a shell would, an open quote included.

    Returns the words before the current one, the current one, and how much of it bash takes for another word, because
    it ends with a character of ``COMP_WORDBREAKS`` or an opening quote.
    """
    words: list[str] = []
    current, kept, quote, escaped, begun = "", 0, "", False, False
    for char in line:
        if escaped:
            current, escaped = current + char, False
        elif char == "\\" and quote != "'":
            escaped = begun = True
        elif quote:
            current, quote = (current, "") if char == quote else (current + char, quote)
        elif char in "\"'":
            quote, begun, kept = char, True, len(current)
        elif char in " \t\n":
            if begun:
                words.append(current)
            current, kept, begun = "", 0, False
        else:
            current, begun = current + char, True
            kept = len(current) if char in breaks else kept
    return words, current, kept


@dataclass
class Found:
    """The answer: words with their help, or that file names are wanted; ``joined`` words are followed by no space."""

    words: list[tuple[str, str]] = field(default_factory=list)
    files: bool = False
    joined: bool = False


class Line:
    """A command line that is being typed: ``words`` are whole, ``current`` is the one under the cursor."""

    def __init__(self, env: Mapping[str, str], words: list[str], current: str) -> None:
        """Follow ``words`` through the command tree."""
        import typer

        from usermgmt.kernel import i18n, tree
        from usermgmt.kernel.invocation import Invocation
        from usermgmt.kernel.streams import Streams

        i18n.use(i18n.choose(words, env))
        self.current = current
        self.call = Invocation(env, Path.cwd(), Streams.of_process())
        self.call.globals.append({})
        self.ctx = typer.Context(tree.root(), info_name=tree.PROGRAM, obj=self.call)
        self.lost = self.literal = False
        self.pending: Any = None
        self.seen: set[str] = set()
        for word in words:
            self._take(word)

    # -- what was typed ------------------------------------------------------------------------------------------------

    def _take(self, word: str) -> None:
        if self.pending is not None:
            self._given(self.pending, word)
            self.pending = None
        elif self.literal or not word.startswith("-") or word == "-":
            self._positional(word)
        elif word == "--":
            self.literal = True
        else:
            self._option(word)

    def _option(self, word: str) -> None:
        name, equals, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
        parameter = self._parameter(name)
        if parameter is None:
            return
        if getattr(parameter, "is_flag", False):
            self._given(parameter, "")
        elif equals:
            self._given(parameter, value)
        else:
            self.pending = parameter

    def _given(self, parameter: Any, value: str) -> None:
        if not parameter.multiple:
            self.seen.add(parameter.name)
        if parameter.name.startswith("global_"):
            self.call.globals[0][parameter.name] = value
            # another level declares it anew
            self.seen.add(parameter.name)

    def _positional(self, word: str) -> None:
        from usermgmt.kernel import tree

        if not isinstance(self.ctx.command, tree.Group):
            self.ctx.args.append(word)
            return
        found = self.ctx.command.get_command(self.ctx, word)
        if found is None:
            self.lost = True
        else:
            import typer

            self.ctx = typer.Context(found, parent=self.ctx, info_name=word)

    def _parameter(self, name: str) -> Any:
        return next((one for one in self._options() if name in one.opts), None)

    def _options(self) -> Iterator[Any]:
        return (one for one in self.ctx.command.get_params(self.ctx) if hasattr(one, "is_flag"))

    # -- what may follow -----------------------------------------------------------------------------------------------

    def found(self) -> Found:
        """Return what the current word may become."""
        if self.lost:
            return Found()
        if self.pending is not None:
            return self._values(self.pending)
        if self.current.startswith("-") and not self.literal:
            return self._option_or_its_value()
        return self._argument()

    def _option_or_its_value(self) -> Found:
        name, equals, value = self.current.partition("=")
        if not equals:
            return Found(list(self._option_names()))
        parameter = self._parameter(name)
        if parameter is None or parameter.is_flag:
            return Found()
        self.current = value
        found = self._values(parameter)
        found.words = [(f"{name}={word}", help_) for word, help_ in found.words]
        return found

    def _option_names(self) -> Iterator[tuple[str, str]]:
        from usermgmt.kernel.i18n import _

        for one in self._options():
            # global options are accepted everywhere, and would crowd out the command's own
            if one.name in self.seen or (one.hidden and len(self.current) < 3):
                continue
            for name in one.opts:
                if name.startswith(self.current) and (name.startswith("--") or self.current == name):
                    yield name, _(one.help or "")

    def _argument(self) -> Found:
        from usermgmt.kernel import tree

        command = self.ctx.command
        if isinstance(command, tree.Root):
            return Found(self._beginning(command.summaries()))
        if isinstance(command, tree.Group):
            names = command.list_commands(self.ctx)
            return Found(self._beginning((name, tree.summary(command.get_command(None, name))) for name in names))
        arguments = [one for one in command.params if not hasattr(one, "is_flag")]
        at = len(self.ctx.args)
        if at < len(arguments):
            return self._values(arguments[at])
        if arguments and arguments[-1].nargs == -1:
            return self._values(arguments[-1])
        return Found([] if self.current else list(self._option_names()))

    def _beginning(self, rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [row for row in rows if row[0].startswith(self.current)]

    def _values(self, parameter: Any) -> Found:
        from usermgmt.kernel import tree

        meant = tree.metavar(parameter)
        if _FILES & set(meant.split("|")):
            return Found(files=True)
        items = parameter.shell_complete(self.ctx, self.current)
        return Found([(item.value, item.help or "") for item in items], joined="," in meant)
