"""The ``config`` commands; none opens a store, and all but ``get`` work with a broken configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from usermgmt.domains.config.views import FILE, PROBLEM, SET, SETTING
from usermgmt.kernel import complete, tree
from usermgmt.kernel.cells import text_of
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.errors import Exit
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.results import UNCHANGED, Change, Listing, Page, Record

if TYPE_CHECKING:
    from pathlib import Path

    from usermgmt.domains.config.types import Validation

app = tree.group("config")

Key = Annotated[
    str,
    Argument(
        help=N_("The setting, as store.busy_timeout."), metavar="KEY", autocompletion=complete.keys, show_default=False
    ),
]


@command(app, opens=False, lenient=True, shows=SETTING)
def show(
    ctx: Context,
    origin: Annotated[
        bool, Option("--origin", help=N_("Also where each value comes from: a file and line, a variable, an option."))
    ] = False,
) -> Listing:
    """Show every setting and its value.

    What is wrong in files and environment is left out and told on standard error; the exit code is then 8.

    Examples:
    usermgmt config show
    usermgmt config show --origin
    usermgmt config show --fields key,default,help
    """
    from usermgmt.domains.config import service

    for problem in _judged(ctx).problems:
        ctx.warn(f"{problem.where}: {problem.key + ': ' if problem.key else ''}{problem.problem}")
        ctx.exit = Exit.UNAVAILABLE
    plain = ("key", "value", "origin") if origin else ("key", "value")
    fields = ctx.fields if ctx.output.fields or ctx.output.format in ("ids", "count") else plain
    shown = [{**_fields(one), "help": _(one.help)} for one in service.show(ctx.settings)]
    return Listing(fields, (tuple(one[name] for name in fields) for one in shown))


@command(app, opens=False, shows=SETTING)
def get(ctx: Context, key: Key) -> Page | Record:
    """Print the value of one setting, bare; a format shows where it comes from too.

    Examples:
    usermgmt config get store.busy_timeout
    usermgmt config get store.url --json
    """
    from usermgmt.domains.config import service

    found = service.get(ctx.settings, key)
    if ctx.output.format or ctx.output.fields or ctx.output.jq:
        return Record({**_fields(found), "help": _(found.help)})
    return Page(text_of(found.value) + "\n")


@command(app, "set", opens=False, files=True, lenient=True, shows=SET)
def set_(
    ctx: Context,
    key: Key,
    value: Annotated[
        str | None,
        Argument(
            help=N_("Its value; a list by comma."),
            metavar="VALUE",
            autocompletion=complete.key_values,
            show_default=False,
        ),
    ] = None,
    unset: Annotated[bool, Option("--unset", help=N_("Take the setting out of the file."))] = False,
) -> Change:
    """Write a setting into the configuration file, whose comments and layout stay.

    The file is the one of --config or USERMGMT_CONFIG, else root's /etc/usermgmt/config.toml or the account's own.

    Where there is a store, the change is on its audit, with --reason.

    Examples:
    usermgmt config set time.zone Asia/Shanghai
    usermgmt config set store.busy_timeout 30s --dry-run
    usermgmt config set store.busy_timeout --unset
    """
    from usermgmt.domains.config import service
    from usermgmt.kernel.usage import BadValue, MissingValue

    if unset and value is not None:
        raise BadValue(name="--unset", problem=_("it takes no value"), path="usermgmt config set")
    path = _file(ctx)
    if unset:
        done = service.unset_value(path, key, os.geteuid(), dry_run=ctx.dry_run)
    elif value is None:
        raise MissingValue(name="VALUE", path="usermgmt config set")
    else:
        done = service.set_value(path, key, value, os.geteuid(), dry_run=ctx.dry_run)
    _record(ctx, E.CONFIG_SET, done.outcome, **service.recorded(done))
    values = {"key": done.key, "path": done.path, "before": done.before, "after": done.after}
    return Change(done.outcome, SET.noun, done.key, values, note=_("in {path}").format(path=done.path))


@command(app, opens=False, files=True, lenient=True, shows=FILE)
def init(ctx: Context) -> Change:
    """Write a configuration file in which every setting is explained and commented out.

    Examples:
    usermgmt config init
    usermgmt --config ./usermgmt.toml config init
    """
    from usermgmt.domains.config import service

    done = service.init(_file(ctx), dry_run=ctx.dry_run)
    _record(ctx, E.CONFIG_INIT, done.outcome)
    return Change(done.outcome, FILE.noun, done.key, {"path": done.key})


@command(app, opens=False, lenient=True, shows=PROBLEM)
def validate(ctx: Context) -> Listing:
    """Validate the configuration files and the environment: every problem, and exit code 8 where there is one.

    Examples:
    usermgmt config validate
    usermgmt --config ./usermgmt.toml config validate --json
    """
    judged = _judged(ctx)
    if judged.problems:
        ctx.exit = Exit.UNAVAILABLE
    else:
        files = ", ".join(judged.files) or _("no file")
        ctx.note(_("the configuration is valid (read: {files}, and the environment)").format(files=files))
    rows = [_fields(one) for one in judged.problems]
    fields = ctx.fields if ctx.output.fields or ctx.output.format in ("ids", "count") else PROBLEM.names
    return Listing(fields, (tuple(row[name] for name in fields) for row in rows))


def _record(ctx: Context, action: E, outcome: str, **facts: object) -> None:
    """Leave an entry of a change, where there is a store: the settings are part of how it is held."""
    from usermgmt.kernel.recording import record_outside

    if outcome != UNCHANGED and not ctx.dry_run:
        record_outside(ctx, action, "store", **facts)


def _judged(ctx: Context) -> Validation:
    from usermgmt.domains.config import service

    return service.validate(ctx.env, ctx.cwd, ctx.config_file, os.geteuid())


def _file(ctx: Context) -> Path:
    from usermgmt.kernel.settings import file_to_write

    return file_to_write(ctx.env, ctx.cwd, ctx.config_file, os.geteuid())


def _fields(result: object) -> dict[str, object]:
    """Return the fields of a result class."""
    from dataclasses import asdict

    return asdict(result)  # type: ignore[call-overload, no-any-return]
