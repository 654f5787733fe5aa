"""The command tree: groups loaded when they are named, help translated when it is shown.

Typer vendors Click as a private package; what reaches into it is in this file, ``usage.py`` and
``coerce.py``.
"""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from usermgmt.groups import BY_NAME, GROUPS, PANELS
from usermgmt.kernel import layout
from usermgmt.kernel.coerce import lighten
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.invocation import speak
from usermgmt.kernel.options import GLOBAL_PANEL, OUTPUT_PANEL, WRITE_PANEL, global_parameters
from usermgmt.kernel.usage import UnknownCommand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from usermgmt.kernel.command import Spec

PROGRAM = "usermgmt"
_LAST_PANELS = (WRITE_PANEL, OUTPUT_PANEL, GLOBAL_PANEL)
_HELP_NAMES = ("-h", "--help")
_LONGEST_CHOICES = 24
_EXAMPLES = "\n\nExamples:\n"


def group(name: str) -> typer.Typer:
    """Return the Typer app of a group; its help is the group's line in ``groups.py``."""
    return typer.Typer(
        name=name,
        cls=Group,
        help=BY_NAME[name].summary,
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
    )


# -- help ----------------------------------------------------------------------------------------------------------


class _Help:
    """Help in the language of the invocation, as wide as its terminal; mixed into commands and groups."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        lighten(self.params)  # type: ignore[attr-defined]

    def get_help_option_names(self, _ctx: Any) -> list[str]:
        return list(_HELP_NAMES)

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        lighten([option])
        option.callback = _show_help
        option.help = N_("Show this help.")
        return option

    def get_help(self, ctx: Any) -> str:
        size = ctx.terminal_width or (layout.width(ctx.obj.env, ctx.obj.streams) if ctx.obj else layout.USUAL)
        path = command_path(ctx)
        parts = [layout.usage(_("Usage:"), [path, *self.pieces(ctx)], size), *self._words(size)]
        parts += [layout.section(title, rows, size) for title, rows in self._sections(ctx) if rows]
        return "\n\n".join([*parts, layout.paragraphs(self._last_words(), size)])

    def pieces(self, ctx: Any) -> Iterator[str]:
        """Yield the words of the synopsis that follow the command's own."""
        raise NotImplementedError

    def _last_words(self) -> str:
        return _("{program} --help lists the global options.").format(program=PROGRAM)

    def _words(self, size: int) -> Iterator[str]:
        words, examples = described(self)
        if words:
            yield layout.paragraphs(_(words), size)
        if examples:
            yield "\n".join([_("Examples:"), *("  " + line for line in examples)])

    def _sections(self, ctx: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        yield from self.option_sections(ctx)

    def option_sections(self, ctx: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Yield arguments and options, each panel with its title."""
        shown = [one for one in self.get_params(ctx) if not one.hidden]  # type: ignore[attr-defined]
        yield _("Arguments"), [(_argument(one), _explained(one)) for one in shown if not isinstance(one, TyperOption)]
        panels: dict[str, list[tuple[str, str]]] = {"": []}
        for one in shown:
            if isinstance(one, TyperOption):
                panels.setdefault(one.rich_help_panel or "", []).append((_option(one), _explained(one)))
        last = [panel for panel in _LAST_PANELS if panel in panels]
        for panel in [*(panel for panel in panels if panel not in last), *last]:
            yield _(panel) or _("Options"), panels[panel]


def described(command: Any) -> tuple[str, list[str]]:
    """Return what a command's docstring says and its examples; the words are one message, the examples no words."""
    words, _mark, examples = inspect.cleandoc(command.help or "").partition(_EXAMPLES)
    return words, [line.strip() for line in examples.strip().splitlines()]


def summary(command: Any) -> str:
    """Return the first sentence of a command's help, in the language of the invocation."""
    first = _(described(command)[0]).split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=\.)\s(?=[A-Z])|(?<=。)", first, maxsplit=1)[0]


def metavar(parameter: Any) -> str:
    """Return the word that stands for a value of ``parameter`` in usage and help; empty for a flag."""
    if getattr(parameter, "is_flag", False):
        return ""
    if parameter.metavar:
        return str(parameter.metavar).strip(".")
    choices = _choices(parameter)
    if choices and len(choices) <= _LONGEST_CHOICES:
        return choices
    if choices:
        return str(parameter.type_descriptor.annotation.__name__).upper()
    if not isinstance(parameter, TyperOption):
        return str(parameter.name).upper()
    return "N" if parameter.type_descriptor.annotation is int else "TEXT"


def _choices(parameter: Any) -> str:
    return "|".join(str(choice.value) for choice in parameter.type_descriptor.choices or ())


def _argument(parameter: Any) -> str:
    return metavar(parameter) + ("..." if parameter.nargs != 1 else "")


def _option(parameter: Any) -> str:
    names = ", ".join(sorted([*parameter.opts, *parameter.secondary_opts], key=len))
    return f"{names} {metavar(parameter)}".rstrip() + ("..." if parameter.multiple else "")


def _explained(parameter: Any) -> str:
    extras = []
    choices = _choices(parameter)
    if choices and len(choices) > _LONGEST_CHOICES:
        extras.append(_("one of {choices}").format(choices=choices.replace("|", ", ")))
    if isinstance(parameter, TyperOption) and parameter.required:
        extras.append(_("required"))
    shown = parameter.show_default
    # a text says what is usual where the command must know whether the option was given
    default = shown if isinstance(shown, str) else parameter.default
    if shown and default not in (None, "", False, ()):
        extras.append(_("default: {value}").format(value=getattr(default, "value", default)))
    return f"{_(parameter.help or '')} [{'; '.join(extras)}]" if extras else _(parameter.help or "")


def _show_help(ctx: Any, _parameter: Any, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        speak(ctx.obj)
        ctx.obj.streams.out(ctx.get_help() + "\n")
        ctx.exit()


def command_path(ctx: Any) -> str:
    """Return the words that name the command of ``ctx``."""
    names = []
    while ctx is not None:
        names.append(ctx.info_name)
        ctx = ctx.parent
    return " ".join(reversed(names))


def find(words: Iterable[str]) -> Any:
    """Return the context of the command that ``words`` name, without parsing; raises ``UnknownCommand``."""
    ctx = typer.Context(root(), info_name=PROGRAM)
    for word in words:
        command = ctx.command
        found = command.get_command(ctx, word) if isinstance(command, Group) else None
        if found is None:
            names = command.list_commands(ctx) if isinstance(command, Group) else ()
            raise UnknownCommand.near(word, names, command_path(ctx))
        ctx = typer.Context(found, parent=ctx, info_name=word)
    return ctx


def leaves() -> Iterator[Any]:
    """Yield the context of every command that can be run, in the order of the table; imports every group."""
    top = typer.Context(root(), info_name=PROGRAM)
    for name in root().list_commands(top):
        found = typer.Context(root().get_command(top, name), parent=top, info_name=name)
        if isinstance(found.command, Group):
            for verb in found.command.list_commands(found):
                yield typer.Context(found.command.get_command(found, verb), parent=found, info_name=verb)
        else:
            yield found


# -- commands and groups -------------------------------------------------------------------------------------------


class Command(_Help, TyperCommand):
    """A command; ``spec`` is what its declaration says."""

    @property
    def spec(self) -> Spec:
        """The declaration under ``@command``."""
        found: Spec = self.callback.spec  # type: ignore[union-attr]
        return found

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence in the language of the invocation."""
        del limit
        return summary(self)

    def pieces(self, ctx: Any) -> Iterator[str]:  # noqa: ARG002 - as a group's
        shown: list[Any] = [one for one in self.params if not getattr(one, "hidden", False)]
        for one in shown:
            if not isinstance(one, TyperOption):
                word = metavar(one) if one.required else f"[{metavar(one)}]"
                yield word + ("..." if one.nargs != 1 else "")
        for one in shown:
            if isinstance(one, TyperOption) and one.required:
                yield f"{one.opts[0]} {metavar(one)}"
        yield _("[OPTIONS]")


class Group(_Help, TyperGroup):
    """A group of verbs."""

    def __init__(self, *arguments: Any, waiting: Iterable[Any] = (), **options: Any) -> None:
        """Take the declarations of commands; each is built when it is named."""
        super().__init__(*arguments, **options)
        self._waiting = {info.name: info for info in waiting}
        self._names = list(self._waiting)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Click's signature
        return self._names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Click's signature
        info = self._waiting.pop(cmd_name, None)
        if info is not None:
            info.callback.prepare()
            self.commands[cmd_name] = typer.main.get_command_from_info(
                info, pretty_exceptions_short=False, rich_markup_mode=None
            )
        return self.commands.get(cmd_name)

    def pieces(self, _ctx: Any) -> Iterator[str]:
        yield from (_("VERB"), _("[ARGUMENTS]"), _("[OPTIONS]"))

    def _words(self, size: int) -> Iterator[str]:
        yield layout.paragraphs(_(self.help or ""), size)

    def children(self, ctx: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Yield the names that may follow with their lines, each panel with its title."""
        yield _("Commands"), [(name, summary(self.get_command(ctx, name))) for name in self.list_commands(ctx)]

    def _sections(self, ctx: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        yield from self.children(ctx)
        yield from super()._sections(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        found = self.get_command(ctx, args[0])
        if found is None:
            raise UnknownCommand.near(args[0], self.list_commands(ctx), command_path(ctx))
        return args[0], found, args[1:]


def load(name: str, app: typer.Typer) -> Group:
    """Return the group of ``app``, with its commands still to be built."""
    summary_of = BY_NAME[name].summary if name in BY_NAME else ""
    return Group(
        name=name, help=summary_of, no_args_is_help=True, rich_markup_mode=None, waiting=app.registered_commands
    )


class Root(Group):
    """The root: knows its groups from the table and imports one only when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Click's signature
        return [row.name for row in GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        row = BY_NAME.get(cmd_name)
        if row is not None and cmd_name not in self.commands:
            loaded = load(row.name, importlib.import_module(row.module).app)
            self.commands[cmd_name] = loaded.get_command(ctx, cmd_name) if row.single else loaded
        return self.commands.get(cmd_name)

    def summaries(self) -> list[tuple[str, str]]:
        """Return every name that may follow with its line, importing nothing."""
        return [(row.name, _(row.summary)) for row in GROUPS]

    def pieces(self, _ctx: Any) -> Iterator[str]:
        yield from (_("[GLOBAL OPTIONS]"), _("GROUP"), _("VERB"), _("[ARGUMENTS]"), _("[OPTIONS]"))

    def children(self, ctx: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:  # noqa: ARG002 - as a group's
        for panel in PANELS:
            yield _(panel), [(row.name, _(row.summary)) for row in GROUPS if row.panel == panel]

    def _last_words(self) -> str:
        return _(
            "Global options may also stand after the verb, where they win.\n\n"
            "{program} GROUP --help and {program} GROUP VERB --help tell more, {program} help is the manual."
        ).format(program=PROGRAM)


@cache
def root() -> Root:
    """Build the root command once; its groups come when they are named."""
    app = typer.Typer(
        name=PROGRAM,
        cls=Root,
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        help=N_("The user office of a platform, in one command."),
    )

    def start(context: typer.Context, **given: Any) -> None:
        context.obj.globals.append(given)

    version = inspect.Parameter("version", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_version_option())
    own = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [own, *global_parameters(hidden=False), version]
    start.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    start.__annotations__ = {one.name: one.annotation for one in parameters}
    app.callback()(start)
    made = typer.main.get_command(app)
    assert isinstance(made, Root)
    return made


def _version_option() -> Any:
    return Annotated[
        bool, typer.Option("--version", help=N_("Show the version."), callback=_show_version, is_eager=True)
    ]


def _show_version(ctx: typer.Context, value: bool) -> None:
    from usermgmt import __version__

    if value:
        ctx.obj.streams.out(f"{PROGRAM} {__version__}\n")
        raise typer.Exit
