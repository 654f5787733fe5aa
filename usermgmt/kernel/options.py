"""Options that many commands share, declared once: same concept, same name, same words everywhere."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import StrEnum
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from usermgmt.kernel import complete
from usermgmt.kernel.i18n import N_

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

# Not ruff's business but Typer's: help strings are marked here and translated when they are shown.


class Format(StrEnum):
    """Values of ``--output``."""

    TABLE = "table"
    TSV = "tsv"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    YAML = "yaml"
    IDS = "ids"
    COUNT = "count"


class When(StrEnum):
    """Values of ``--color``."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Language(StrEnum):
    """Values of ``--lang``."""

    EN = "en"
    ZH = "zh"


OUTPUT_PANEL = N_("Output")
WRITE_PANEL = N_("Writing")
GLOBAL_PANEL = N_("Global options")


def _option(*names: str, help: str, panel: str = "", **more: Any) -> Any:  # noqa: A002 - Typer's word
    return Option(*names, help=help, rich_help_panel=panel or None, show_default=False, **more)


Reason = Annotated[str, _option("--reason", help=N_("Why; kept in the audit."), panel=WRITE_PANEL, metavar="TEXT")]
Limit = Annotated[
    int | None,
    _option("--limit", help=N_("Show at most N; how many there are is said on standard error."), min=0, metavar="N"),
]
Since = Annotated[str, _option("--since", help=N_("From this time on (a duration counts back)."), metavar="TIME")]
Until = Annotated[str, _option("--until", help=N_("Before this time."), metavar="TIME")]


def _format(also: tuple[str, ...]) -> tuple[str, Any, Any]:
    """Return ``--output`` with the renderer's formats and those that the command has beside them."""
    members = {one.name: one.value for one in Format} | {name.upper(): name for name in also}
    formats: Any = StrEnum("Format", members) if also else Format
    words = _option("--output", "-o", help=N_("Format of the answer."), panel=OUTPUT_PANEL, case_sensitive=False)
    return "output_format", Annotated[formats | None, words], None


_OUTPUT: tuple[tuple[str, Any, Any], ...] = (
    ("as_json", Annotated[bool, _option("--json", help=N_("The same as -o json."), panel=OUTPUT_PANEL)], False),
    (
        "fields",
        Annotated[
            str,
            _option(
                "--fields",
                help=N_("Only these fields, by comma."),
                panel=OUTPUT_PANEL,
                metavar="A,B",
                autocompletion=complete.fields,
            ),
        ],
        "",
    ),
    (
        "jq",
        Annotated[str, _option("--jq", help=N_("Filter the JSON with jq."), panel=OUTPUT_PANEL, metavar="EXPR")],
        "",
    ),
    ("utc", Annotated[bool, _option("--utc", help=N_("Times in tables in UTC."), panel=OUTPUT_PANEL)], False),
    ("no_header", Annotated[bool, _option("--no-header", help=N_("No header line."), panel=OUTPUT_PANEL)], False),
)
_REVEAL = (
    "reveal",
    Annotated[bool, _option("--reveal", help=N_("Show personal data unmasked; audited."), panel=OUTPUT_PANEL)],
    False,
)
_REASON = ("reason", Reason, "")
_DRY_RUN = (
    "dry_run",
    Annotated[
        bool, _option("--dry-run", "-n", help=N_("Rehearse: show the outcome, save nothing."), panel=WRITE_PANEL)
    ],
    False,
)
_CONFIRM: tuple[tuple[str, Any, Any], ...] = (
    ("yes", Annotated[bool, _option("--yes", "-y", help=N_("Do it without asking."), panel=WRITE_PANEL)], False),
    (
        "confirm_count",
        Annotated[
            int | None,
            _option("--confirm-count", help=N_("Do it if exactly N are meant."), panel=WRITE_PANEL, min=0, metavar="N"),
        ],
        None,
    ),
)
_VERSION = (
    "if_version",
    Annotated[
        int | None,
        _option("--if-version", help=N_("Only if the record is at version N."), panel=WRITE_PANEL, min=1, metavar="N"),
    ],
    None,
)

GLOBALS: tuple[tuple[str, Any, Any, tuple[str, ...], str, str | None], ...] = (
    (
        "store",
        str,
        "",
        ("--store",),
        N_("The store: a file or postgresql+psycopg://... (env USERMGMT_STORE)."),
        "PATH|URL",
    ),
    ("config", str, "", ("--config",), N_("Another configuration file."), "FILE"),
    ("lang", Language | None, None, ("--lang",), N_("Language of messages and help."), None),
    ("color", When | None, None, ("--color",), N_("Colour: auto, always or never."), None),
    ("quiet", bool, False, ("--quiet", "-q"), N_("No notes, no progress, no result lines."), None),
    ("verbose", bool, False, ("--verbose", "-v"), N_("Say more about what happens."), None),
    ("debug", bool, False, ("--debug",), N_("Show the traceback of an unexpected failure."), None),
    ("no_input", bool, False, ("--no-input",), N_("Never ask."), None),
    ("now", str, "", ("--now",), N_("The present, on a simulated store only."), "TIME"),
)


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def global_parameters(*, hidden: bool) -> list[Parameter]:
    """Return the global options as parameters: shown for the root, hidden but accepted after the verb."""
    made = []
    for name, annotation, default, names, help_, metavar in GLOBALS:
        option = _option(*names, help=help_, panel=GLOBAL_PANEL, hidden=hidden, metavar=metavar, case_sensitive=False)
        made.append(_parameter(f"global_{name}", Annotated[annotation, option], default))
    return made


def shared_parameters(
    *,
    shows: bool,
    writes: bool,
    reveals: bool,
    confirms: bool,
    versioned: bool,
    reasoned: bool,
    also: tuple[str, ...] = (),
) -> list[Parameter]:
    """Return the parameters that a command has beside its own, as its declaration asks for them."""
    rows: list[tuple[str, Any, Any]] = []
    if writes:
        rows.append(_DRY_RUN)
    if writes or reveals or reasoned:
        rows.append(_REASON)
    if versioned:
        rows.append(_VERSION)
    if confirms:
        rows.extend(_CONFIRM)
    if reveals:
        rows.append(_REVEAL)
    if shows:
        rows.extend((_format(also), *_OUTPUT))
    return [_parameter(*row) for row in rows]


def own_parameters(function: Callable[..., Any]) -> tuple[list[Parameter], dict[str, type[Any]]]:
    """Return the command's own parameters, all after ``ctx``, and its bundles.

    A parameter annotated with a dataclass is a bundle: its fields become parameters of their own, and the command gets
    one object. So options that several commands share are declared once.
    """
    import inspect

    own: list[Parameter] = []
    bundles: dict[str, type[Any]] = {}
    for one in list(inspect.signature(function, eval_str=True).parameters.values())[1:]:
        if isinstance(one.annotation, type) and is_dataclass(one.annotation):
            bundles[one.name] = one.annotation
            fields_of = inspect.signature(one.annotation, eval_str=True).parameters.values()
            own.extend(field.replace(kind=Parameter.KEYWORD_ONLY) for field in fields_of)
        else:
            own.append(one.replace(kind=Parameter.KEYWORD_ONLY))
    return own, bundles


def paths(parameters: list[Parameter]) -> tuple[str, ...]:
    """Return the names of those parameters that name files."""
    return tuple(one.name for one in parameters if {"FILE", "FILE|-", "URL|FILE"} & _metavars(one))


def inputs(parameters: list[Parameter]) -> tuple[str, ...]:
    """Return the names of those parameters whose values may stand on standard input: their metavar says ``|-``."""
    return tuple(one.name for one in parameters if any(word.endswith("|-") for word in _metavars(one)))


def _metavars(parameter: Parameter) -> set[str]:
    return {getattr(extra, "metavar", None) or "" for extra in getattr(parameter.annotation, "__metadata__", ())}


def ahead(given: Mapping[str, Any], names: Iterable[str], files: Iterable[str]) -> Iterator[str]:
    """Yield what the inputs ``names`` want read before a transaction begins: files, and ``-`` for standard input."""
    for name in names:
        value = given.get(name)
        if value == "-" or (isinstance(value, list) and "-" in value):
            yield "-"
        elif value and name in files:
            yield str(value)


def bundled(given: dict[str, Any], bundles: dict[str, type[Any]]) -> dict[str, Any]:
    """Put the values of bundles together; ``given`` stays as it is, since a command that asked first runs twice."""
    given = dict(given)
    for name, bundle in bundles.items():
        given[name] = bundle(**{field.name: given.pop(field.name) for field in fields(bundle)})
    return given
