"""The configuration files: shown, changed in place, made, and judged; no store is needed for any of it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usermgmt.domains.config.sample import sample
from usermgmt.domains.config.types import ConfigChange, ConfigFileMade, ConfigProblem, ConfigValue, Validation
from usermgmt.kernel import settings_attributes as attributes
from usermgmt.kernel.errors import (
    BadConfiguration,
    FileExists,
    FileMissing,
    FileUnreadable,
    Invalid,
    NotFound,
    Unavailable,
    UsageProblem,
)
from usermgmt.kernel.files import failure, private_directory, whole_file
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.results import CREATED, REMOVED, UNCHANGED, UPDATED
from usermgmt.kernel.settings import BY_KEY, DEFAULT, SYSTEM_DIR, TABLE, inspect, known
from usermgmt.kernel.settings_file import MAX_BYTES, ConfigFile, TomlFault, read
from usermgmt.kernel.settings_values import (
    Problem,
    Setting,
    check,
    from_text,
    is_secret,
    nearest,
    quoted,
    shown,
    written,
)
from usermgmt.kernel.text import neutral

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from usermgmt.domains.config.types import Shown
    from usermgmt.kernel.settings import Settings

LOCK_SECONDS = 10.0

_TELLING = ("bool", "choice", "duration", "int", "size", "zone")
"""Kinds of settings whose values tell of no person; a path, an address or a text may, and an audit entry stays."""


# -- reading -----------------------------------------------------------------------------------------------------


def show(settings: Settings) -> tuple[ConfigValue, ...]:
    """Return every setting, in the order of the table, then what is said of attributes."""
    families = (setting for key in settings if key not in BY_KEY and (setting := known(key)) is not None)
    return tuple(_value(settings, setting) for setting in (*TABLE, *families))


def get(settings: Settings, key: str) -> ConfigValue:
    """Return one setting; raises ``NotFound`` with the nearest key, also for an attribute that is not declared."""
    setting = _known(key)
    if key in settings:
        return _value(settings, setting)
    if key.split(".")[1] not in settings.attributes:
        raise _missing(key, settings)
    default = written(setting, setting.default)
    return ConfigValue(key, default, DEFAULT, default, setting.help)


def _value(settings: Settings, setting: Setting) -> ConfigValue:
    return ConfigValue(
        key=setting.key,
        value=settings.shown(setting.key),
        origin=settings.origin(setting.key),
        default=written(setting, setting.default),
        help=setting.help,
    )


def recorded(done: ConfigChange) -> dict[str, Shown]:
    """Return what the audit keeps of a change: the values only where they tell of nobody."""
    setting = known(done.key)
    if setting is not None and setting.kind in _TELLING:
        return {"key": done.key, "before": done.before, "after": done.after}
    # a key that is no setting, and is taken out, may be any word
    return {"key": done.key if setting is not None else None}


def _known(key: str) -> Setting:
    setting = known(key)
    if setting is None:
        raise _missing(key, (*BY_KEY, *(one.key for one in attributes.properties(key))))
    return setting


def _missing(key: str, keys: Iterable[str]) -> NotFound:
    meant = nearest(key, keys)
    hint = N_("did you mean {nearest}?") if meant else N_("usermgmt config show lists them")
    return NotFound(hint=hint, noun=_("setting"), name=key, nearest=meant)


def validate(
    env: Mapping[str, str], cwd: Path, config_file: Path | None, euid: int, *, system_dir: Path = SYSTEM_DIR
) -> Validation:
    """Look through every file and variable that an invocation would use, and report all that is wrong.

    Raises ``FileMissing`` for a named file that is not there.
    """
    files: list[str] = []
    problems: list[ConfigProblem] = []
    for item in inspect(env, cwd, config_file, euid, system_dir=system_dir):
        if isinstance(item, ConfigFile):
            files.append(str(item.path))
        elif isinstance(item, Problem):
            problems.append(_reported(item))
    return Validation(tuple(files), tuple(problems))


def _reported(problem: Problem) -> ConfigProblem:
    error = problem.error()
    advice = error.advice if problem.hint else ""
    return ConfigProblem(neutral(problem.where), neutral(problem.key), neutral(problem.text), advice)


# -- changing ----------------------------------------------------------------------------------------------------


def set_value(
    path: Path, key: str, value: str, euid: int, *, dry_run: bool = False, system_dir: Path = SYSTEM_DIR
) -> ConfigChange:
    """Write ``key`` into the file at ``path``, which is made where it is missing; comments and layout stay.

    Raises ``NotFound`` for an unknown key, ``Invalid`` for a value it cannot have or which would leave an attribute
    declared by halves, ``UsageProblem`` for a password,
    ``BadConfiguration`` for a file that is unsafe or no TOML, ``FileUnreadable``, ``DiskFull``, ``Unavailable``.
    """
    setting = _known(key)
    raw = from_text(setting, value)
    if is_secret(setting, check(setting, raw)):
        raise UsageProblem(
            problem=_("a password on the command line is seen by every account of this host"),
            hint=N_("use peer login, ~/.pgpass, or store.password_file"),
        )
    return _changed(path, key, raw, euid, dry_run=dry_run, system_dir=system_dir)


def unset_value(
    path: Path, key: str, euid: int, *, dry_run: bool = False, system_dir: Path = SYSTEM_DIR
) -> ConfigChange:
    """Take ``key`` out of the file at ``path``, also one that is no setting, or ``attribute.NAME`` as a whole.

    Raises as ``set_value`` does.
    """
    file = _present(path, euid)
    if file is None or _below(key, _values(file)) is None:
        if not attributes.names(key):
            _known(key)
        return ConfigChange(key, str(path), UNCHANGED, None, None, dry_run)
    return _changed(path, key, None, euid, dry_run=dry_run, system_dir=system_dir)


def _changed(path: Path, key: str, raw: object, euid: int, *, dry_run: bool, system_dir: Path) -> ConfigChange:
    with _held(path, system_dir, dry_run=dry_run):
        file = _present(path, euid)
        values = _values(file) if file else {}
        before = _below(key, values)
        outcome = _outcome(before, raw)
        if outcome != UNCHANGED:
            expected = {
                name: value for name, value in values.items() if name != key and name not in _parts(key, values)
            }
            expected |= {} if raw is None else {key: raw}
            _check_whole(attributes.head(key), values, expected)
            text = _edited(path, file.text if file else "", key, raw, expected)
            if not dry_run:
                _write(path, text, file, system_dir)
    return ConfigChange(key, str(path), outcome, _printable(key, before), _printable(key, raw), dry_run)


def _parts(key: str, values: Mapping[str, object]) -> list[str]:
    """Return the keys below ``key`` where it is an attribute."""
    return [name for name in values if name.startswith(key + ".")] if attributes.names(key) else []


def _below(key: str, values: Mapping[str, object]) -> object:
    """Return the value of ``key``, or of an attribute all that is said of it; None where there is nothing."""
    parts = {name.removeprefix(key + "."): values[name] for name in _parts(key, values)}
    return parts or values.get(key)


def _check_whole(attribute: str, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Refuse to leave an attribute by halves, unless it was so before and is mended step by step."""
    text = attributes.incomplete(after, attribute) if attribute else ""
    if text and not attributes.incomplete(before, attribute):
        raise Invalid(_HALVES, field=attribute, problem=text, attribute=attribute)


_HALVES = N_("of the type choice, set the choices first; usermgmt config set {attribute} --unset takes all of it out")


def _outcome(before: object, after: object) -> str:
    # True == 1 in Python; in a file they differ
    if type(before) is type(after) and before == after:
        return UNCHANGED
    if after is None:
        return REMOVED
    return CREATED if before is None else UPDATED


def _printable(key: str, raw: object) -> Shown:
    if raw is None:
        return None
    setting = known(key) or Setting(key, "text", "", "")
    try:
        return shown(setting, check(setting, raw))
    except Invalid:
        return quoted(setting, raw)


def _present(path: Path, euid: int) -> ConfigFile | None:
    try:
        return read(path, euid, BY_KEY)
    except FileMissing:
        return None


def _values(file: ConfigFile) -> dict[str, object]:
    try:
        return file.values()
    except TomlFault as fault:
        where = f"{file.path}:{fault.line}" if fault.line else file.path
        raise BadConfiguration(path=where, problem=fault.problem) from None


def _edited(path: Path, text: str, key: str, raw: object, expected: dict[str, object]) -> str:
    """Return ``text`` with ``key`` set to ``raw`` (None: taken out), proven to hold ``expected`` and no more."""
    only_crlf = "\r\n" in text and text.count("\n") == text.count("\r\n")
    for edit in (_below_its_comment, _through_tomlkit):
        edited = edit(text, key, raw)
        edited = re.sub(r"(?<!\r)\n", "\r\n", edited) if only_crlf else edited
        if _holds(path, edited, expected):
            return edited
    raise BadConfiguration(
        path=path,
        problem=_("its layout does not let {key} be changed alone").format(key=key),
        hint=N_("edit it by hand"),
    )


def _below_its_comment(text: str, key: str, raw: object) -> str:
    """Put a new key where the sample explains it, below its commented default; elsewhere change nothing."""
    import tomlkit

    section, dot, name = key.rpartition(".")
    head = rf"^\[{re.escape(section)}\][^\n]*\n" if dot else r"\A"
    commented = rf"{head}(?:(?!\[)[^\n]*\n)*?#[ ]?{re.escape(name)}[ ]*=[^\n]*$"
    found = re.search(commented, text, re.MULTILINE)
    if found is None or raw is None:
        return text
    return f"{text[: found.end()]}\n{name} = {tomlkit.item(raw).as_string()}{text[found.end() :]}"


def _through_tomlkit(text: str, key: str, raw: object) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    *sections, name = key.split(".")
    try:
        document = tomlkit.parse(text)
        table: Any = document
        for section in sections:
            if section not in table:
                # one that only holds other tables needs no header of its own
                table[section] = tomlkit.table(is_super_table=section != sections[-1])
            table = table[section]
        if raw is None:
            del table[name]
        else:
            table[name] = raw
        return tomlkit.dumps(document)
    except (LookupError, TypeError, ValueError, AttributeError, TOMLKitError):
        return text


def _holds(path: Path, text: str, expected: dict[str, object]) -> bool:
    # whatever an editing library makes of an odd file, nothing is written that is not exactly what was asked for
    if len(text.encode()) > MAX_BYTES:
        return False
    try:
        found = ConfigFile(path, text, BY_KEY).values()
    except TomlFault:
        return False
    return _canonical(found) == _canonical(expected)


def _canonical(values: dict[str, object]) -> list[tuple[str, str]]:
    return sorted((key, repr(value)) for key, value in values.items() if value != {})


# -- making ------------------------------------------------------------------------------------------------------


def init(path: Path, *, dry_run: bool = False, system_dir: Path = SYSTEM_DIR) -> ConfigFileMade:
    """Write the sample configuration to ``path``; raises ``FileExists``, ``FileUnreadable``, ``DiskFull``."""
    if os.path.lexists(path):
        raise FileExists(path=path)
    with _held(path, system_dir, dry_run=dry_run):
        if not dry_run:
            _write(path, sample(), None, system_dir)
    return ConfigFileMade(str(path), CREATED, dry_run)


# -- files -------------------------------------------------------------------------------------------------------


@contextmanager
def _held(path: Path, system_dir: Path, *, dry_run: bool) -> Iterator[None]:
    """Hold the directory of ``path`` against other processes that would change a file in it; a rehearsal only looks."""
    _check_writable(path)
    if dry_run:
        yield
        return
    _make_directory(path.parent, system_dir)
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise failure(path, error) from None
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _check_writable(path: Path) -> None:
    folder = path.parent
    try:
        while not folder.exists():
            folder = folder.parent
    except OSError as error:
        raise failure(path, error) from None
    if not folder.is_dir():
        raise FileUnreadable(path=path, problem=_(os.strerror(errno.ENOTDIR)))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise FileUnreadable(path=path, problem=_(os.strerror(errno.EACCES)))


def _make_directory(folder: Path, system_dir: Path) -> None:
    if folder != system_dir:
        private_directory(folder)
        return
    if folder.is_dir():
        return
    try:
        # the accounts that run the program have to read what root writes here
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    except OSError as error:
        raise failure(folder, error) from None


def _lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unavailable(problem=_("another program is changing {path}").format(path=path)) from None
            time.sleep(0.02)
        except OSError:
            # a file system without locks, such as NFS for a directory; the file stays whole all the same
            return
        else:
            return


def _write(path: Path, text: str, old: ConfigFile | None, system_dir: Path) -> None:
    with whole_file(path, replace=old is not None) as stream:
        stream.write(text.encode())
        descriptor = stream.fileno()
        mode = old.mode if old else 0o644 if path.parent == system_dir else 0o600
        if old and old.gid != os.fstat(descriptor).st_gid:
            try:
                os.fchown(descriptor, -1, old.gid)
            except PermissionError:
                # what the old group might do, ours might not
                mode &= ~0o070
        os.fchmod(descriptor, mode)
