"""Usage errors: what Typer's parser raises, said in our words and language, with the nearest name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

from typer._click import exceptions as click

from usermgmt.kernel.errors import UsageProblem
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterable

UsageError = click.UsageError
NoArgsIsHelp = click.NoArgsIsHelpError


class UnknownCommand(UsageProblem):
    """There is no command {name}."""

    code = "usage.command"

    @classmethod
    def near(cls, name: str, names: Iterable[str], path: str) -> Self:
        """Return the error with the nearest of ``names`` as its hint."""
        close = get_close_matches(name, list(names), 1)
        if close:
            return cls(name=name, near=close[0], path=path, hint=N_("did you mean {path} {near}?"))
        return cls(name=name, path=path, hint=N_("{path} --help lists the commands"))


class UnknownOption(UsageProblem):
    """There is no option {name} here."""

    code = "usage.option"
    hint = N_("{path} --help lists the options")


class MissingValue(UsageProblem):
    """{name} is missing."""

    code = "usage.missing"
    hint = N_("{path} --help shows what is needed")


class BadValue(UsageProblem):
    """{name}: {problem}"""

    code = "usage.value"
    hint = N_("{path} --help shows what is possible")


def translated(error: click.UsageError) -> UsageProblem:
    """Return our error for one of the parser's; values are not echoed, since one of them may be a secret."""
    path = error.ctx.command_path if error.ctx is not None else "usermgmt"
    match error:
        case click.NoSuchOption():
            return _no_option(error, path)
        case click.MissingParameter():
            return MissingValue(name=_name(error), path=path)
        case click.BadParameter():
            return _bad_value(error, path)
        case click.BadOptionUsage():
            return BadValue(name=error.option_name, problem=_("it needs a value, or takes none"), path=path)
    if error.message.startswith("Missing command"):
        return MissingValue(name=_("a command"), path=path)
    if error.message.startswith("Got unexpected extra"):
        return BadValue(name=_("arguments"), problem=_("there are too many"), path=path)
    return UsageProblem(problem=error.message)


def _no_option(error: click.NoSuchOption, path: str) -> UsageProblem:
    name = error.option_name.partition("=")[0]
    close = sorted(error.possibilities or [])
    if close:
        return UnknownOption(name=name, near=close[0], path=path, hint=N_("did you mean {near}?"))
    return UnknownOption(name=name, path=path)


def _name(error: click.BadParameter) -> str:
    parameter: Any = error.param
    if parameter is None:
        return str(error.param_hint or "")
    names = [name for name in parameter.opts if name.startswith("-")]
    return max(names, key=len) if names else str(parameter.metavar or parameter.name).upper()


def _bad_value(error: click.BadParameter, path: str) -> UsageProblem:
    descriptor = getattr(error.param, "type_descriptor", None)
    if descriptor is None:
        return BadValue(name=_name(error), problem=error.message, path=path)
    if descriptor.choices:
        choices = ", ".join(str(getattr(choice, "value", choice)) for choice in descriptor.choices)
        return BadValue(name=_name(error), problem=_("it must be one of {choices}").format(choices=choices), path=path)
    if descriptor.is_ranged:
        low = descriptor.parameter_info.min
        return BadValue(
            name=_name(error), problem=_("it must be a whole number from {low} on").format(low=low), path=path
        )
    return BadValue(name=_name(error), problem=_("it is not a whole number"), path=path)
