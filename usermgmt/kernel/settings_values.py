"""What one setting may hold: how its value is read, checked, written and masked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from usermgmt.kernel.errors import BadConfiguration, Invalid, UsageProblem
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.text import unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import tzinfo
    from pathlib import Path

    from usermgmt.kernel.errors import UsermgmtError

Value = str | int | float | bool | tuple[str, ...]
Kind = Literal["text", "choice", "int", "bool", "duration", "size", "list", "durations", "path", "store", "zone"]

_DURATION_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_SIZE_UNITS = {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}
MASKED = "***"
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
# libpq and SQLAlchemy take secrets in a URL's query too
_SECRET_PARAMETERS = {"password", "passwd", "pwd", "sslpassword", "secret", "token", "key"}

EXPECTED: dict[Kind, str] = {
    "text": N_("a text"),
    "choice": N_("a text"),
    "int": N_("a whole number"),
    "bool": N_("true or false"),
    "duration": N_("a duration such as 10s, 5m, 2h or a whole number of seconds"),
    "size": N_("a size such as 64KiB, 1GiB or a whole number of bytes"),
    "list": N_("a list of texts"),
    "durations": N_("a list of durations such as 14d, 1d"),
    "path": N_("a path"),
    "store": N_("a path or a URL"),
    "zone": N_("a text"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings.

    ``minimum`` and ``maximum`` are in seconds for durations, in bytes for a size. A ``sensitive`` value is never
    shown. ``personal`` marks what the caller of a sudo'd call may choose in the environment, since it changes nothing
    but looks. ``variable`` is a second, shorter environment variable, which wins over the regular one. What is
    ``filed`` stands in files only, and has no variable.
    """

    key: str
    kind: Kind
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 2**63 - 1
    sensitive: bool = False
    personal: bool = False
    variable: str = ""
    filed: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that set it; the last one wins."""
        if self.filed:
            return ()
        regular = "USERMGMT_" + self.key.upper().replace(".", "_")
        return (regular, self.variable) if self.variable else (regular,)


class Problem(NamedTuple):
    """What is wrong at one place of the configuration: at a ``path``, ``path:line``, ``env NAME`` or option."""

    where: str
    key: str
    text: str
    hint: str = ""
    nearest: str = ""

    def error(self) -> UsermgmtError:
        """Return it as the error that ends an invocation: exit 2 for the command line, 8 for the rest."""
        text = f"{self.key}: {self.text}" if self.key else self.text
        if self.where.startswith("--"):
            return UsageProblem(hint=self.hint, problem=f"{self.where}: {text}", nearest=self.nearest)
        hint = self.hint or BadConfiguration.hint
        return BadConfiguration(hint=hint, path=self.where, problem=text, nearest=self.nearest)


def cut(key: str) -> str:
    """Return ``key`` for a message, shortened where somebody wrote a page of it."""
    return key if len(key) <= 100 else key[:99] + "…"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one of ``known`` that ``word`` was probably meant to be, or ``""``."""
    import difflib

    if len(word) > 100:
        return ""
    known = list(known)
    tails = [name for name in known if name.endswith("." + word)]
    folded = [name for name in known if name.casefold() == word.casefold()]
    return (folded or tails or difflib.get_close_matches(word, known, 1) or [""])[0]


def from_text(setting: Setting, text: str, base: Path | None = None) -> object:
    """Turn a word of the command line or the environment into the value a TOML file would hold, not yet checked.

    A list is comma-separated, or a TOML array. A relative path counts from ``base``, where given.
    """
    if setting.kind in ("int", "duration", "size"):
        return int(text.replace("_", "")) if re.fullmatch(r"[+-]?[0-9][0-9_]{0,20}", text) else text
    if setting.kind == "bool":
        return text.lower() in _TRUE if text.lower() in _TRUE + _FALSE else text
    if setting.kind in ("list", "durations"):
        return _list_from_text(text)
    if setting.kind in ("path", "store") and base is not None and text and not _is_absolute(text):
        return os.path.join(base, text)  # noqa: PTH118 - pathlib would rewrite "./x" and "a//b"
    return text


def _list_from_text(text: str) -> object:
    if not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    import tomllib

    try:
        return tomllib.loads(f"it = {text}")["it"]
    except ValueError:
        return text


def _is_absolute(text: str) -> bool:
    return text.startswith(("/", "~/")) or "://" in text


def check(setting: Setting, raw: object) -> Value:
    """Return ``raw``, as TOML gave it, as the setting's value, or raise ``Invalid``.

    Durations become seconds (float), sizes bytes, lists tuples; paths stay text.
    """
    return _CHECKS[setting.kind](setting, raw)


def _refusal(setting: Setting, problem: str, *, raw: object, meant: str = "", **facts: str) -> Invalid:
    text = _(problem).format(value=quoted(setting, raw), **facts)
    if meant:
        return Invalid(hint=N_("did you mean {nearest}?"), field=setting.key, problem=text, nearest=meant)
    return Invalid(field=setting.key, problem=text)


def _wrong_type(setting: Setting, raw: object) -> Invalid:
    return _refusal(setting, N_("{value} is not {expected}"), raw=raw, expected=_(EXPECTED[setting.kind]))


def _check_text(setting: Setting, raw: object) -> str:
    if not isinstance(raw, str):
        raise _wrong_type(setting, raw)
    if bad := unstorable(raw):
        raise _refusal(setting, N_("{value} holds the character {bad}"), raw=raw, bad=bad)
    return raw


def _check_choice(setting: Setting, raw: object) -> str:
    value = _check_text(setting, raw)
    if value not in setting.choices:
        names = ", ".join(choice or '""' for choice in setting.choices)
        meant = nearest(value, filter(None, setting.choices))
        raise _refusal(setting, N_("{value} is not one of {choices}"), raw=raw, choices=names, meant=meant)
    return value


def _check_bool(setting: Setting, raw: object) -> bool:
    if not isinstance(raw, bool):
        raise _wrong_type(setting, raw)
    return raw


def _check_int(setting: Setting, raw: object) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise _wrong_type(setting, raw)
    return _in_range(setting, raw, raw)


def _in_range(setting: Setting, raw: object, value: int) -> int:
    if not setting.minimum <= value <= setting.maximum:
        low, high = (str(written(setting, bound)) for bound in (setting.minimum, setting.maximum))
        raise _refusal(setting, N_("{value} is outside {low} to {high}"), raw=raw, low=low, high=high)
    return value


def _check_duration(setting: Setting, raw: object) -> float:
    if not isinstance(raw, str):
        return float(_check_int(setting, raw))
    from usermgmt.kernel import times

    span = times.duration(raw)
    if span is None:
        raise _wrong_type(setting, raw)
    return float(_in_range(setting, raw, int(span.total_seconds())))


def _check_size(setting: Setting, raw: object) -> int:
    if not isinstance(raw, str):
        return _check_int(setting, raw)
    match = re.fullmatch(r"([0-9]{1,12}) ?([KMGT]iB)", raw)
    if match is None:
        raise _wrong_type(setting, raw)
    return _in_range(setting, raw, int(match[1]) * _SIZE_UNITS[match[2]])


def _check_list(setting: Setting, raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple):
        raise _wrong_type(setting, raw)
    return tuple(_check_text(setting, item) for item in raw)


def _check_durations(setting: Setting, raw: object) -> tuple[str, ...]:
    from usermgmt.kernel import times

    texts = _check_list(setting, raw)
    for text in texts:
        span = times.duration(text)
        if span is None:
            raise _refusal(setting, N_("{value} is not {expected}"), raw=text, expected=_(EXPECTED["duration"]))
        _in_range(setting, text, int(span.total_seconds()))
    return texts


def _check_path(setting: Setting, raw: object) -> str:
    value = _check_text(setting, raw)
    # a file has no current directory, and the program's own is not the one its writer had in mind
    if value and not value.startswith(("/", "~/")):
        raise _refusal(setting, N_("it must be an absolute path, or begin with ~/"), raw=raw)
    return value


def _check_store(setting: Setting, raw: object) -> str:
    value = _check_text(setting, raw)
    return value if "://" in value else _check_path(setting, raw)


def _check_zone(setting: Setting, raw: object) -> str:
    value = _check_text(setting, raw)
    try:
        zone(value)
    except (LookupError, OSError, ValueError):
        import zoneinfo

        meant = nearest(value, sorted(zoneinfo.available_timezones()))
        raise _refusal(setting, N_("{value} is not a time zone of this system"), raw=raw, meant=meant) from None
    return value


def zone(name: str) -> tzinfo:
    """Return the time zone called ``name``; UTC needs no time zone database. Raises what ``zoneinfo`` raises."""
    if name == "UTC":
        from datetime import UTC

        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


_CHECKS: dict[Kind, Callable[[Setting, object], Value]] = {
    "text": _check_text,
    "choice": _check_choice,
    "int": _check_int,
    "bool": _check_bool,
    "duration": _check_duration,
    "size": _check_size,
    "list": _check_list,
    "durations": _check_durations,
    "path": _check_path,
    "store": _check_store,
    "zone": _check_zone,
}


def written(setting: Setting, value: Value) -> str | int | bool | tuple[str, ...]:
    """Return ``value`` as a person would write it in a file: ``10s`` and ``64KiB``, not 10.0 and 65536."""
    if setting.kind in ("duration", "durations"):
        return _in_units(int(value), _DURATION_UNITS) if isinstance(value, int | float) else value
    if setting.kind == "size":
        return _in_units(int(value), _SIZE_UNITS) if isinstance(value, int | float) else value
    return value if not isinstance(value, float) else int(value)


def _in_units(number: int, units: dict[str, int]) -> str | int:
    for unit, worth in units.items():
        if number and number % worth == 0:
            return f"{number // worth}{unit}"
    return number


def shown(setting: Setting, value: Value) -> str | int | bool | tuple[str, ...]:
    """Return ``value`` as it may be printed: as written, without what is secret."""
    if is_secret(setting, value):
        return mask_url(value) if isinstance(value, str) and not setting.sensitive else MASKED
    return written(setting, value)


def is_secret(setting: Setting, value: Value) -> bool:
    """Tell whether ``value`` has to be kept from others: a sensitive one, or a URL with a password."""
    return bool(value) and (setting.sensitive or (isinstance(value, str) and mask_url(value) != value))


def mask_url(text: str) -> str:
    """``postgresql://user:secret@host/db`` -> ``postgresql://user:***@host/db``; other texts as they are.

    The password runs to the last ``@``, so that one holding an unescaped ``@`` or ``/`` is hidden whole.
    """
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    account, at, place = rest.rpartition("@")
    user, colon, password = account.partition(":")
    if colon and password:
        rest = f"{user}:{MASKED}{at}{place}"
    return scheme + mark + re.sub(r"(?<=[?&])([^=&?]+)=([^&]+)", _mask_parameter, rest)


def _mask_parameter(match: re.Match[str]) -> str:
    from urllib.parse import unquote_plus

    return f"{match[1]}={MASKED}" if unquote_plus(match[1]).lower() in _SECRET_PARAMETERS else match[0]


def _shown_number(raw: object) -> str:
    try:
        return str(raw)
    except ValueError:
        # 0xfff... is read in any length, and no number of more than 4,300 digits is written, nor what holds one
        return "0x…"


def quoted(setting: Setting, raw: object) -> str:
    """Return ``raw`` for a message: in quotes, cut where it is long, without what is or may be secret."""
    # a URL with a slip in it, or a password where its file belongs, must not be printed back
    if setting.sensitive or setting.kind in ("path", "store"):
        return MASKED
    if isinstance(raw, bool):
        return str(raw).lower()
    text = mask_url(raw) if isinstance(raw, str) else _shown_number(raw)
    text = text if len(text) <= 60 else text[:59] + "…"
    return f'"{text}"' if isinstance(raw, str) else text
