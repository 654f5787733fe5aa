"""The ``help`` command."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument

from usermgmt.kernel import layout, tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Page

app = tree.group("help")


def topics(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Complete topics and the words of commands."""
    from usermgmt.domains.help import service

    return service.names(ctx.args, incomplete)


@command(app, "help", opens=False, lenient=True)
def help_(
    ctx: Context,
    words: Annotated[
        list[str] | None,
        Argument(
            help=N_("A topic, or the words of a command; without any, the list."),
            metavar="TOPIC",
            autocompletion=topics,
            show_default=False,
        ),
    ] = None,
) -> Page:
    """Show a topic of the manual, or the help of a command.

    Examples:
    usermgmt help
    usermgmt help exit-codes
    usermgmt help user add
    usermgmt help verifier > verify_audit.py
    """
    from usermgmt.domains.help import service

    return Page(service.page(words or (), layout.width(ctx.env, ctx.streams)))
