"""The configuration files: shown, changed in place, made, and judged; no store is needed for any of it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usermgmt.domains.config.types import ConfigChange, ConfigFileMade, ConfigProblem, ConfigValue, Validation
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
from usermgmt.kernel.settings import BY_KEY, SYSTEM_DIR, TABLE, Problem, inspect
from usermgmt.kernel.settings_file import MAX_BYTES, ConfigFile, TomlFault, read
from usermgmt.kernel.settings_values import Setting, check, from_text, is_secret, nearest, quoted, shown, written
from usermgmt.kernel.text import neutral

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from usermgmt.domains.config.types import Shown
    from usermgmt.kernel.settings import Settings

LOCK_SECONDS = 10.0
SAMPLE_HEAD = """\
# usermgmt: configuration. Read from /etc/usermgmt/config.toml, then from ~/.config/usermgmt/config.toml (not for
# root), then from the file that --config or USERMGMT_CONFIG names; what is read later wins. The environment
# (USERMGMT_STORE_BUSY_TIMEOUT for busy_timeout of [store], USERMGMT_STORE for its url) and the command line win over
# every file. Each line shows the default: take the # away to change one. "usermgmt config show --origin" tells what
# holds, "usermgmt config validate" what is wrong.
"""


_TELLING = ("bool", "choice", "duration", "int", "size", "zone")
"""Kinds of settings whose values tell of no person; a path, an address or a text may, and an audit entry stays."""


# -- reading -----------------------------------------------------------------------------------------------------


def show(settings: Settings) -> tuple[ConfigValue, ...]:
    """Return every setting, in the order of the table."""
    return tuple(_value(settings, setting) for setting in TABLE)


def get(settings: Settings, key: str) -> ConfigValue:
    """Return one setting; raises ``NotFound`` with the nearest key."""
    return _value(settings, _known(key))


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
    setting = BY_KEY.get(done.key)
    if setting is not None and setting.kind in _TELLING:
        return {"key": done.key, "before": done.before, "after": done.after}
    # a key that is no setting, and is taken out, may be any word
    return {"key": done.key if setting is not None else None}


def _known(key: str) -> Setting:
    if key in BY_KEY:
        return BY_KEY[key]
    meant = nearest(key, BY_KEY)
    hint = N_("did you mean {nearest}?") if meant else N_("usermgmt config show lists them")
    raise NotFound(hint=hint, noun=_("setting"), name=key, nearest=meant)


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

    Raises ``NotFound`` for an unknown key, ``Invalid`` for a value it cannot have, ``UsageProblem`` for a password,
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
    """Take ``key`` out of the file at ``path``, also one that is no setting; raises as ``set_value`` does."""
    file = _present(path, euid)
    if file is None or key not in _values(file):
        _known(key)
        return ConfigChange(key, str(path), UNCHANGED, None, None, dry_run)
    return _changed(path, key, None, euid, dry_run=dry_run, system_dir=system_dir)


def _changed(path: Path, key: str, raw: object, euid: int, *, dry_run: bool, system_dir: Path) -> ConfigChange:
    with _held(path, system_dir, dry_run=dry_run):
        file = _present(path, euid)
        values = _values(file) if file else {}
        before = values.pop(key, None)
        outcome = _outcome(before, raw)
        if outcome != UNCHANGED:
            expected = values if raw is None else {**values, key: raw}
            text = _edited(path, file.text if file else "", key, raw, expected)
            if not dry_run:
                _write(path, text, file, system_dir)
    return ConfigChange(key, str(path), outcome, _printable(key, before), _printable(key, raw), dry_run)


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
    setting = BY_KEY.get(key, Setting(key, "text", "", ""))
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
                table[section] = tomlkit.table()
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


def sample() -> str:
    """Return the sample configuration: every setting with its help and its default, commented out."""
    import textwrap

    import tomlkit

    lines = SAMPLE_HEAD.splitlines()
    section = ""
    for setting in TABLE:
        before, dot, name = setting.key.rpartition(".")
        lines += ["", f"[{before}]"] if dot and before != section else []
        section = before
        words = f"{setting.help} ({', '.join(filter(None, setting.choices))})" if setting.choices else setting.help
        lines += ["", *(f"# {line}" for line in textwrap.wrap(words, 110, break_on_hyphens=False))]
        lines.append(f"#{name} = {tomlkit.item(written(setting, setting.default)).as_string()}")
    return "\n".join(lines) + "\n"


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
