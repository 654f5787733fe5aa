"""The command tree: groups loaded when they are named, help translated when it is shown.

Typer vendors Click as a private package; everything that reaches into it is in this file and in ``usage.py``.
"""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from usermgmt.groups import BY_NAME, GROUPS, PANELS
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.options import GLOBAL_PANEL, OUTPUT_PANEL, WRITE_PANEL, global_parameters
from usermgmt.kernel.usage import UnknownCommand

if TYPE_CHECKING:
    from collections.abc import Iterable

    from usermgmt.kernel.command import Spec

_LAST_PANELS = (WRITE_PANEL, OUTPUT_PANEL, GLOBAL_PANEL)


def group(name: str) -> typer.Typer:
    """Return the Typer app of a group; its help is the group's line in ``groups.py``."""
    return typer.Typer(
        name=name, cls=Group, help=BY_NAME[name].summary, add_completion=False, rich_markup_mode=None, no_args_is_help=True
    )


class _Help:
    """Help in the language of the invocation, written to its own streams; mixed into commands and groups."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.callback = _show_help
            option.help = N_("Show this help.")
        return option

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, pieces, prefix=_("Usage:") + " ")

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Click's signature
        text = inspect.cleandoc(self.help or "")  # type: ignore[attr-defined]
        if not text:
            return
        # A docstring is translated as a whole up to its examples, which are commands and no words
        words, mark, examples = text.partition("\n\nExamples:\n")
        for paragraph in _(words).split("\n\n"):
            formatter.write_paragraph()
            formatter.write_text(paragraph)
        if mark:
            formatter.write_paragraph()
            formatter.write(_("Examples:") + "\n")
            formatter.write("\n".join("  " + line.strip() for line in examples.strip().splitlines()) + "\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        arguments: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):  # type: ignore[attr-defined]
            record = _record(parameter, ctx)
            if record is None:
                continue
            if isinstance(parameter, TyperOption):
                panels.setdefault(parameter.rich_help_panel or "", []).append(record)
            else:
                arguments.append(record)
        if arguments:
            _section(formatter, _("Arguments"), arguments)
        own = [panel for panel in panels if panel not in _LAST_PANELS]
        for panel in (*own, *(panel for panel in _LAST_PANELS if panel in panels)):
            _section(formatter, _(panel) or _("Options"), panels[panel])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        pass


def _section(formatter: Any, title: str, rows: Iterable[tuple[str, str]]) -> None:
    with formatter.section(title):
        formatter.write_dl(list(rows))


def _record(parameter: Any, ctx: Any) -> tuple[str, str] | None:
    record: tuple[str, str] | None = parameter.get_help_record(ctx)
    if record is None:
        return None
    names, shown = record
    source = parameter.help or ""
    extras = shown[len(source) :].strip()
    return names, " ".join(part for part in (_(source), _translated(extras)) if part)


def _translated(extras: str) -> str:
    if not extras:
        return ""
    parts = []
    for part in extras.strip("[]").split("; "):
        if part.startswith("default: "):
            parts.append(_("default: {value}").format(value=part[len("default: ") :]))
        else:
            parts.append(_(part))
    return f"[{'; '.join(parts)}]"


def _show_help(ctx: Any, _parameter: Any, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        ctx.obj.streams.out(ctx.get_help() + "\n")
        ctx.exit()


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
        words = inspect.cleandoc(self.help or "").partition("\n\nExamples:\n")[0]
        return _(words).split("\n\n")[0].replace("\n", " ")


class Group(_Help, TyperGroup):
    """A group of verbs."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _Help.format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [(name, self.commands[name].get_short_help_str()) for name in self.list_commands(ctx)]
        _section(formatter, _("Commands"), rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        found = self.get_command(ctx, args[0])
        if found is None:
            raise UnknownCommand.near(args[0], self.list_commands(ctx), ctx.command_path)
        return args[0], found, args[1:]


class Root(Group):
    """The root: knows its groups from the table and imports one only when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Click's signature
        return [row.name for row in GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Click's signature
        row = BY_NAME.get(cmd_name)
        if row is not None and cmd_name not in self.commands:
            loaded = typer.main.get_group(importlib.import_module(row.module).app)
            self.commands[cmd_name] = loaded.commands[cmd_name] if row.single else loaded
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Click's signature
        for panel in PANELS:
            _section(formatter, _(panel), [(row.name, _(row.summary)) for row in GROUPS if row.panel == panel])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from typer._click.shell_completion import CompletionItem

        rows = [CompletionItem(row.name, help=_(row.summary)) for row in GROUPS if row.name.startswith(incomplete)]
        return rows + super(TyperGroup, self).shell_complete(ctx, incomplete)


@cache
def root() -> Root:
    """Build the root command once; its groups come when they are named."""
    app = typer.Typer(
        name="usermgmt", cls=Root, add_completion=False, rich_markup_mode=None, no_args_is_help=True, help=N_("The user office of a platform, in one command.")
    )

    def start(context: typer.Context, **given: Any) -> None:
        context.obj.globals.append(given)

    version = inspect.Parameter(
        "version",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=_version_option(),
    )
    own = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [own, *global_parameters(hidden=False), version]
    start.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    start.__annotations__ = {one.name: one.annotation for one in parameters}
    app.callback()(start)
    made = typer.main.get_command(app)
    assert isinstance(made, Root)
    return made


def _version_option() -> Any:
    from typing import Annotated

    return Annotated[
        bool, typer.Option("--version", help=N_("Show the version."), callback=_show_version, is_eager=True)
    ]


def _show_version(ctx: typer.Context, value: bool) -> None:
    from usermgmt import __version__

    if value:
        ctx.obj.streams.out(f"usermgmt {__version__}\n")
        raise typer.Exit
