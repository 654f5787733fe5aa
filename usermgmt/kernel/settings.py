"""The one table of settings, the places their values come from, and the values of one invocation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from usermgmt.kernel import settings_attributes as attributes
from usermgmt.kernel.errors import BadConfiguration, FileMissing, Invalid, UsageProblem
from usermgmt.kernel.i18n import LANGUAGES, N_, _
from usermgmt.kernel.settings_file import ConfigFile, TomlFault, read, survey
from usermgmt.kernel.settings_values import Problem, Setting, check, cut, from_text, is_secret, nearest, shown, zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import timedelta, tzinfo

    from usermgmt.kernel.settings_attributes import Attribute
    from usermgmt.kernel.settings_values import Value

    Origin = str | ConfigFile
    Found = tuple[str, Value, Origin]

SYSTEM_DIR = Path("/etc/usermgmt")
SERVICE_HOME = Path("/var/lib/usermgmt")
FILE_NAME = "config.toml"
DEFAULT = "default"
CREDENTIAL = "systemd credential"
CREDENTIAL_FILE = "usermgmt.key"
"""The name that ``LoadCredential=`` and its like give the store's key (systemd.exec(5))."""
_MAX_KEYS = 1000

TABLE = (
    Setting("lang", "choice", "", N_("The language of messages and help; empty: that of the locale."),
            choices=("", *LANGUAGES), personal=True),
    Setting("time.zone", "zone", "UTC", N_("Where a day begins and ends, for dates given without a time.")),
    Setting("output.color", "choice", "auto", N_("Whether answers and messages are coloured; auto: on a terminal."),
            choices=("auto", "always", "never"), personal=True),
    Setting("store.url", "store", "", N_("The store: the path of its file, or a postgresql+psycopg:// URL; empty: the "
            "usual place, which is /var/lib/usermgmt/store.db for root and for the account with that home, "
            "~/.local/share/usermgmt/store.db for others."), variable="USERMGMT_STORE"),
    Setting("store.busy_timeout", "duration", 10.0, N_("How long to wait for another program that is writing."),
            maximum=3600),
    Setting("store.password_file", "path", "", N_("The file with the password of the PostgreSQL login, mode 0600; "
            "empty: peer login, ~/.pgpass or a service file.")),
    Setting("store.tls", "choice", "verify", N_("PostgreSQL on another host: verify refuses a connection that no "
            "verified TLS protects, insecure-allowed lets it pass."), choices=("verify", "insecure-allowed")),
    Setting("store.backup_every", "duration", 0.0, N_("How old the last backup may grow before usermgmt upcoming calls "
            "the next one due; 0: it says nothing of backups."), maximum=10 * 366 * 86400),
    Setting("store.key_dir", "path", "", N_("The directory of the store's keys; empty: keys/ beside the store.")),
    Setting("store.key_file", "path", "", N_("The file with the key of an encrypted store, better on another disk; "
            "empty: the systemd credential usermgmt.key where there is one, else a file in store.key_dir.")),
    Setting("store.passphrase_file", "path", "", N_("The file, mode 0600, with the passphrase of the key file; empty: "
            "it is asked for on the terminal.")),
    Setting("store.encryption", "choice", "optional", N_("Whether a SQLite store may be plain: with required, init "
            "encrypts, and nothing makes a plain one."), choices=("optional", "required")),
    Setting("audit.anchor_dir", "path", "", N_("The directory of the audit log's signed anchors, better on another "
            "disk or host; empty: anchors/ beside the store.")),
    Setting("audit.checkpoint_dir", "path", "", N_("The directory in which usermgmt tick leaves a checkpoint of the "
            "audit log every day, best one that this host cannot change later; empty: none.")),
    Setting("audit.retention", "duration", 180 * 86400.0, N_("How long the audit keeps its entries at least: usermgmt "
            "audit prune removes no younger ones. The Chinese Cybersecurity Law (article 21) asks for six months at "
            "least; six calendar months can have 184 days."), maximum=100 * 366 * 86400),
    Setting("user.expiry_notice", "durations", ("14d", "1d"), N_("How long before the time of an account is over "
            "usermgmt tick gives notice; once it is over, it always does."), minimum=60, maximum=10 * 366 * 86400),
    Setting("import.max_file", "size", 1 << 30, N_("The largest file that an import reads."), minimum=1),
    Setting("import.max_row", "size", 1 << 20, N_("The longest row of an imported file."), minimum=1),
    Setting("import.max_field", "size", 1 << 16, N_("The longest field of an imported row."), minimum=1),
    Setting("import.max_rows", "int", 10_000_000, N_("The most rows of one import."), minimum=1),
    Setting("import.chunk", "int", 20_000, N_("The most rows that an import commits at a time, fewer where others wait "
            "to write."), minimum=1, maximum=20_000),
)  # fmt: skip
BY_KEY = {setting.key: setting for setting in TABLE}
SECTIONS = {key.partition(".")[0] for key in BY_KEY if "." in key} | {attributes.SECTION}


def known(key: str) -> Setting | None:
    """Return the setting ``key``, of the table or of a family; None where there is none."""
    return BY_KEY.get(key) or attributes.setting(key)


class Settings:
    """The values of one invocation; every one knows where it came from."""

    __slots__ = ("_asked", "_attributes", "_found", "ask", "files", "known")

    def __init__(self, found: Iterable[Found] = (), files: tuple[Path, ...] = ()) -> None:
        """Take what was found, the later the stronger; ``files`` are the ones that exist."""
        self.known: list[bytes] = []
        self.ask: Callable[[], bytes] | None = None
        self._asked = False
        self._attributes: dict[str, Attribute] | None = None
        self._found: dict[str, tuple[Value, Origin]] = {row.key: (row.default, DEFAULT) for row in TABLE}
        self._found.update((key, (value, origin)) for key, value, origin in found)
        self.files = files

    def __getitem__(self, key: str) -> Value:
        return self._found[key][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    @property
    def attributes(self) -> dict[str, Attribute]:
        """The declared attributes of users, by name, in the order in which they are declared."""
        if self._attributes is None:
            self._attributes = attributes.declared({key: value for key, (value, _origin) in self._found.items()})
        return self._attributes

    def text(self, key: str) -> str:
        """Return a text, a choice, a zone's name, or the store's location."""
        value = self[key]
        assert isinstance(value, str), key
        return value

    def number(self, key: str) -> int:
        """Return a whole number, or a size in bytes."""
        value = self[key]
        assert isinstance(value, int), key
        return value

    def seconds(self, key: str) -> float:
        """Return a duration in seconds."""
        value = self[key]
        assert isinstance(value, float), key
        return value

    def spans(self, key: str) -> dict[str, timedelta]:
        """Return durations by what they were written as, the shortest first."""
        from usermgmt.kernel import times

        value = self[key]
        assert isinstance(value, tuple), key
        found = {text: span for text in value if (span := times.duration(text)) is not None}
        return dict(sorted(found.items(), key=lambda pair: pair[1]))

    def path(self, key: str) -> Path | None:
        """Return a path, absolute; None where the setting is empty."""
        value = self.text(key)
        return Path(value) if value else None

    def zone(self) -> tzinfo:
        """Return ``time.zone``."""
        return zone(self.text("time.zone"))

    def passphrases(self) -> Iterator[bytes]:
        """Yield those that were given in this invocation, then that of ``store.passphrase_file`` or the terminal, once.

        Raises what ``secret.from_file`` and ``ask`` raise.
        """
        yield from self.known
        if not self._asked and (named := self.path("store.passphrase_file")) is not None:
            from usermgmt.kernel import secret

            self.known.append(secret.from_file(named))
        elif not self._asked and self.ask is not None:
            self.known.append(self.ask())
        else:
            return
        self._asked = True
        yield self.known[-1]

    def origin(self, key: str) -> str:
        """Return where the value of ``key`` came from: ``path:line``, ``env NAME``, ``--option`` or ``default``."""
        origin = self._found[key][1]
        return origin if isinstance(origin, str) else origin.place(key)

    def shown(self, key: str) -> str | int | bool | tuple[str, ...]:
        """Return the value of ``key`` as it may be printed."""
        setting = known(key)
        return shown(setting, self[key]) if setting is not None else ""


def load(
    env: Mapping[str, str],
    cwd: Path,
    config_file: Path | None,
    overrides: Mapping[str, tuple[object, str]],
    euid: int,
    *,
    system_dir: Path = SYSTEM_DIR,
    lenient: bool = False,
) -> Settings:
    """Return the settings of an invocation, from these layers, the later the stronger.

    1. what the table says, and for ``store.key_file`` the credential that systemd gives a service;
    2. ``/etc/usermgmt/config.toml``;
    3. ``$XDG_CONFIG_HOME/usermgmt/config.toml`` (``~/.config`` where unset or relative, as the XDG Base Directory
       Specification has it), on top of the second so that an account can choose its language on a host that has a
       common configuration. Never for root, whose HOME may still be that of the account it came from;
    4. the file that ``--config`` names, or else ``USERMGMT_CONFIG``;
    5. ``USERMGMT_<SECTION>_<KEY>`` and ``USERMGMT_STORE``, where not empty;
    6. ``overrides``, the command line: key -> (value, option); the value None is an option that was not given.

    ``euid`` is the account whose files are trusted beside root's. For a sudo'd call pass ``narrowed(env)``.
    A ``lenient`` call leaves out what is wrong in files and environment, for commands that help to mend it.
    Raises ``BadConfiguration`` at the first problem, ``UsageProblem`` for one on the command line, ``FileMissing`` for
    a named file that is not there.
    """
    found, files = [], []
    for item in inspect(env, cwd, config_file, euid, system_dir=system_dir):
        if isinstance(item, Problem):
            if lenient:
                continue
            raise item.error()
        if isinstance(item, ConfigFile):
            files.append(item.path)
        else:
            found.append(item)
    for key, (raw, option) in overrides.items():
        if raw is not None:
            found.append(_expanded(_override(BY_KEY[key], raw, option, cwd), home(env, euid)))
    return Settings(attributes.latest(found), tuple(files))


def _override(setting: Setting, raw: object, option: str, cwd: Path) -> Found:
    item = _checked(setting, from_text(setting, raw, cwd) if isinstance(raw, str) else raw, option)
    if isinstance(item, Problem):
        raise item.error()
    if is_secret(setting, item[1]):
        raise UsageProblem(
            problem=_("a password in {option} is seen by every account of this host").format(option=option),
            hint=N_("use peer login, ~/.pgpass, or store.password_file"),
        )
    return item


def inspect(
    env: Mapping[str, str],
    cwd: Path,
    config_file: Path | None,
    euid: int,
    *,
    system_dir: Path = SYSTEM_DIR,
) -> Iterator[ConfigFile | Found | Problem]:
    """Go through the layers below the command line: each file that is there, then its values and problems.

    Raises ``FileMissing`` for a named file that is not there.
    """
    own = home(env, euid)
    named = _named(env, cwd, config_file)
    yield from _credential(env)
    for path in _places(env, named, euid, own, system_dir):
        try:
            file = read(path, euid, BY_KEY)
        except FileMissing:
            if path == named:
                raise
        except BadConfiguration as error:
            yield Problem(str(error.facts["path"]), "", str(error.facts["problem"]), error.hint)
        else:
            yield file
            yield from (item if isinstance(item, Problem) else _expanded(item, own) for item in _in_file(file))
    for setting in TABLE:
        for name in setting.variables:
            if text := env.get(name):
                item = _checked(setting, from_text(setting, text, cwd), f"env {name}")
                yield item if isinstance(item, Problem) else _expanded(item, own)


def _credential(env: Mapping[str, str]) -> Iterator[Found]:
    folder = env.get("CREDENTIALS_DIRECTORY", "")
    if folder.startswith("/") and os.path.lexists(path := f"{folder}/{CREDENTIAL_FILE}"):
        yield "store.key_file", path, CREDENTIAL


def _in_file(file: ConfigFile) -> Iterator[Found | Problem]:
    try:
        values = file.values()
    except TomlFault as fault:
        yield from _in_broken(file, fault)
        return
    if len(values) > _MAX_KEYS:
        yield Problem(str(file.path), "", _("it has more than {count} keys").format(count=_MAX_KEYS))
        return
    judged = [item for key, raw in values.items() for item in _judged(key, raw, file, file)]
    yield from judged
    yield from attributes.judged(judged, file)


def _in_broken(file: ConfigFile, whole: TomlFault) -> Iterator[Found | Problem]:
    faults = 0
    for line, key, raw in survey(file.text, BY_KEY):
        if isinstance(raw, TomlFault):
            faults += 1
            yield Problem(f"{file.path}:{line}", "", raw.problem)
        elif raw != {} or not attributes.names(key):
            # the header of an attribute says nothing by itself
            yield from _judged(key, raw, f"{file.path}:{line}", file)
    if not faults:
        yield Problem(f"{file.path}:{whole.line}" if whole.line else str(file.path), "", whole.problem)


def _judged(key: str, raw: object, origin: Origin, file: ConfigFile) -> Iterator[Found | Problem]:
    if (setting := known(key)) is not None:
        yield _secured(_checked(setting, raw, origin), file)
    elif key.startswith(attributes.PREFIX):
        yield attributes.unknown(_where(origin, key), key, raw)
    elif key not in SECTIONS:
        meant = nearest(key, BY_KEY)
        hint = N_("did you mean {nearest}?") if meant else ""
        yield Problem(_where(origin, key), cut(key), _("there is no such setting"), hint, meant)
    elif raw != {}:
        yield Problem(_where(origin, key), key, _("it is a section, written [{key}]").format(key=key))


def _where(origin: Origin, key: str) -> str:
    return origin if isinstance(origin, str) else origin.place(key)


def _checked(setting: Setting, raw: object, origin: Origin) -> Found | Problem:
    try:
        return setting.key, check(setting, raw), origin
    except Invalid as refusal:
        facts = refusal.facts
        meant = str(facts.get("nearest", ""))
        return Problem(_where(origin, setting.key), setting.key, str(facts["problem"]), refusal.hint, meant)


def _secured(item: Found | Problem, file: ConfigFile) -> Found | Problem:
    setting = None if isinstance(item, Problem) else known(item[0])
    if isinstance(item, Problem) or setting is None or not file.mode & 0o004 or not is_secret(setting, item[1]):
        return item
    return Problem(
        str(file.path),
        item[0],
        _("it holds a password, and every account may read the file"),
        N_("chmod o-r {path}, or move the password to store.password_file"),
    )


def _expanded(item: Found, own: Path) -> Found:
    key, value, origin = item
    if key in BY_KEY and BY_KEY[key].kind in ("path", "store") and isinstance(value, str) and value.startswith("~/"):
        return key, str(own / value[2:]), origin
    return item


def _named(env: Mapping[str, str], cwd: Path, config_file: Path | None) -> Path | None:
    name = config_file or env.get("USERMGMT_CONFIG")
    return cwd / name if name else None


def _places(env: Mapping[str, str], named: Path | None, euid: int, own: Path, system_dir: Path) -> Iterator[Path]:
    yield system_dir / FILE_NAME
    personal = _personal(env, own)
    # HOME may lie with another account (runuser, a daemon that changed its account): what cannot be entered is not ours
    if euid != 0 and os.access(personal.parent, os.X_OK, effective_ids=True):
        yield personal
    if named:
        yield named


def _personal(env: Mapping[str, str], own: Path) -> Path:
    return _absolute(env, "XDG_CONFIG_HOME", own / ".config") / "usermgmt" / FILE_NAME


def _absolute(env: Mapping[str, str], name: str, default: Path) -> Path:
    given = env.get(name, "")
    return Path(given) if given.startswith("/") else default


def file_to_write(
    env: Mapping[str, str], cwd: Path, config_file: Path | None, euid: int, *, system_dir: Path = SYSTEM_DIR
) -> Path:
    """Return the file that ``config set`` and ``config init`` mean: the named one, root's, or the account's own."""
    if named := _named(env, cwd, config_file):
        return named
    return system_dir / FILE_NAME if euid == 0 else _personal(env, home(env, euid))


def home(env: Mapping[str, str], euid: int) -> Path:
    """Return the home directory of ``euid``: HOME, but the service account's own one whatever HOME says."""
    import pwd

    try:
        registered = pwd.getpwuid(euid).pw_dir
    except KeyError:
        registered = "/"
    if registered == str(SERVICE_HOME):
        return SERVICE_HOME
    return _absolute(env, "HOME", Path(registered))


def default_store(env: Mapping[str, str], euid: int, home: Path) -> Path:
    """Return where the store is when nothing says otherwise; ``home`` is what ``home`` returned."""
    if euid == 0 or home == SERVICE_HOME:
        return SERVICE_HOME / "store.db"
    return _absolute(env, "XDG_DATA_HOME", home / ".local" / "share") / "usermgmt" / "store.db"


def narrowed(env: Mapping[str, str]) -> dict[str, str]:
    """Return ``env`` without what would let the caller of a sudo'd call choose files, stores or rules."""
    personal = {name for setting in TABLE if setting.personal for name in setting.variables}
    return {
        name: value
        for name, value in env.items()
        if name in personal or not (name in ("HOME", "CREDENTIALS_DIRECTORY") or name.startswith(("USERMGMT_", "XDG_")))
    }
