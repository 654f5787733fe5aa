"""The ``completion`` command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument

from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Page

app = tree.group("completion")


class Shell(StrEnum):
    """Shells that the program completes in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


FILES = {
    Shell.BASH: "usermgmt.bash",
    Shell.ZSH: "_usermgmt",
    Shell.FISH: "usermgmt.fish",
    Shell.POWERSHELL: "usermgmt.ps1",
}


@command(app, opens=False, lenient=True)
def completion(
    ctx: Context,  # noqa: ARG001 - every command takes it
    shell: Annotated[Shell, Argument(help=N_("bash, zsh, fish or powershell."), show_default=False)],
) -> Page:
    """Print the completion script of a shell.

    The script is a stub: each TAB asks the program for commands, options, usernames and values. Its first lines say
    where to put it.

    Examples:
    usermgmt completion bash > ~/.local/share/bash-completion/completions/usermgmt
    usermgmt completion zsh > ~/.zfunc/_usermgmt
    usermgmt completion fish > ~/.config/fish/completions/usermgmt.fish
    """
    return Page(Path(__file__).with_name(FILES[shell]).read_text(encoding="utf-8"))
