"""The configuration files shown, changed in place, made and judged."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path

import pytest

from usermgmt.domains.config import service
from usermgmt.domains.config.types import ConfigChange, ConfigFileMade, ConfigProblem
from usermgmt.kernel.errors import (
    BadConfiguration,
    DiskFull,
    FileExists,
    FileMissing,
    FileUnreadable,
    Invalid,
    NotFound,
    Unavailable,
    UsageProblem,
)
from usermgmt.kernel.settings import TABLE, load
from usermgmt.kernel.settings_file import MAX_BYTES

ME = os.geteuid() or 1000
TOP = Path(__file__).parents[3]
SECRET = "postgresql+psycopg://u:hunter2@h/db"
COMMENTED = """\
# our platform

lang = 'zh'   # most of us read it

[store]   # where
url = "/srv/store.db"  # on the fast disk

[import]
# nothing yet
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(COMMENTED)
    path.chmod(0o600)
    return path


def put(path, key, value, **more):
    return service.set_value(path, key, value, ME, **more)


def drop(path, key, **more):
    return service.unset_value(path, key, ME, **more)


def settings_of(path, **env):
    return load({"HOME": "/nowhere", **env}, path.parent, path, {}, ME, system_dir=Path("/nowhere"))


# -- show and get ----------------------------------------------------------------------------------------------------


def test_show_tells_every_value_and_where_it_came_from(file):
    rows = {row.key: row for row in service.show(settings_of(file, USERMGMT_IMPORT_CHUNK="7"))}
    assert list(rows) == [setting.key for setting in TABLE]
    assert (rows["lang"].value, rows["lang"].origin, rows["lang"].default) == ("zh", f"{file}:3", "")
    assert (rows["import.chunk"].value, rows["import.chunk"].origin) == (7, "env USERMGMT_IMPORT_CHUNK")
    assert (rows["store.busy_timeout"].value, rows["store.busy_timeout"].origin) == ("10s", "default")
    assert (rows["import.max_file"].value, rows["import.max_rows"].value) == ("1GiB", 10_000_000)


def test_get_masks_a_password_and_knows_only_settings(file):
    settings = settings_of(file, USERMGMT_STORE=SECRET)
    assert service.get(settings, "store.url").value == "postgresql+psycopg://u:***@h/db"
    with pytest.raises(NotFound) as caught:
        service.get(settings, "store.ulr")
    assert (caught.value.exit, caught.value.advice) == (3, "did you mean store.url?")


# -- set -------------------------------------------------------------------------------------------------------------


def test_set_keeps_comments_and_layout(file):
    change = put(file, "store.url", "/srv/other.db")
    assert change == ConfigChange("store.url", str(file), "updated", "/srv/store.db", "/srv/other.db", dry_run=False)
    assert file.read_text() == COMMENTED.replace("/srv/store.db", "/srv/other.db")


@pytest.mark.parametrize(
    ("key", "value", "toml"),
    [
        ("lang", "en", {"lang": "en"}),
        ("import.chunk", "10", {"import": {"chunk": 10}}),
        ("import.max_file", "2GiB", {"import": {"max_file": "2GiB"}}),
        ("store.busy_timeout", "30", {"store": {"busy_timeout": 30}}),
        ("store.key_dir", "~/keys", {"store": {"key_dir": "~/keys"}}),
        ("store.url", "", {"store": {"url": ""}}),
    ],
)
def test_set_makes_a_missing_file_with_the_natural_type(tmp_path, key, value, toml):
    path = tmp_path / "a" / "b" / "config.toml"
    change = put(path, key, value)
    assert (change.outcome, change.before) == ("created", None)
    assert tomllib.loads(path.read_text()) == toml
    assert [stat.S_IMODE(part.stat().st_mode) for part in (path, path.parent)] == [0o600, 0o700]


def test_set_again_changes_nothing(file):
    put(file, "lang", "en")
    before = file.stat()
    change = put(file, "lang", "en")
    assert (change.outcome, change.before, change.after) == ("unchanged", "en", "en")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'lang = "en"\n'),
        ("# only a comment", None),
        ("[store]\n", 'lang = "en"\n\n[store]\n'),
        ("store.url = '/a'\n[import]\n", None),
        ("store = {url = '/a'}\n", None),
        ("[store]\nurl = '/a'\n[store.x]\n", None),
    ],
)
def test_set_finds_a_place_in_any_layout(tmp_path, before, after):
    path = tmp_path / "config.toml"
    path.write_text(before)
    path.chmod(0o600)
    for key, value in (("lang", "en"), ("store.tls", "verify"), ("import.chunk", "3")):
        put(path, key, value)
        if key == "lang" and after:
            assert path.read_text() == after
    got = tomllib.loads(path.read_text())
    assert (got["lang"], got["store"]["tls"], got["import"]["chunk"]) == ("en", "verify", 3)
    assert got["store"].get("url") == ("/a" if "/a" in before else None)


def test_set_writes_below_the_explanation_of_the_sample(tmp_path):
    path = tmp_path / "config.toml"
    service.init(path)
    for key, value in (("store.tls", "insecure-allowed"), ("import.chunk", "3"), ("lang", "zh")):
        put(path, key, value)
    text = path.read_text()
    for commented, line in (
        ('#tls = "verify"', 'tls = "insecure-allowed"'),
        ("#chunk = 20000", "chunk = 3"),
        ('#lang = ""', 'lang = "zh"'),
    ):
        assert f"\n{commented}\n{line}\n" in text
    assert put(path, "lang", "en").outcome == "updated"
    for key in ("store.tls", "import.chunk", "lang"):
        drop(path, key)
    assert path.read_text() == service.sample()


def test_set_keeps_windows_line_ends(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(COMMENTED.replace("\n", "\r\n").encode())
    put(path, "store.tls", "verify")
    put(path, "lang", "en")
    data = path.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    assert tomllib.loads(data.decode())["store"] == {"url": "/srv/store.db", "tls": "verify"}


def test_set_keeps_the_mode_and_the_group_of_the_file(file):
    file.chmod(0o640)
    groups = [group for group in os.getgroups() if group != os.getegid()]
    group = 4242 if os.geteuid() == 0 else (groups or [os.getegid()])[0]
    os.chown(file, -1, group)
    put(file, "lang", "en")
    assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_gid) == (0o640, group)


def test_the_system_file_can_be_read_by_the_accounts_that_run_the_program(tmp_path):
    system = tmp_path / "usermgmt"
    old = os.umask(0o077)
    try:
        put(system / "config.toml", "lang", "zh", system_dir=system)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (system, system / "config.toml")]
    assert modes == [0o755, 0o644]


def test_set_can_mend_a_bad_value_and_a_bad_file_stays(file):
    file.write_text("lang = 'fr'\n")
    change = put(file, "lang", "en")
    assert (change.before, change.outcome) == ('"fr"', "updated")
    file.write_text("lang = \n")
    with pytest.raises(BadConfiguration, match=r"config\.toml:1 is not usable: Invalid value"):
        put(file, "lang", "en")
    assert file.read_text() == "lang = \n"


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("lang", "fr", Invalid),
        ("import.chunk", "many", Invalid),
        ("import.chunk", "0", Invalid),
        ("import.max_row", "1 kilo", Invalid),
        ("store.key_dir", "keys", Invalid),
        ("store.key_dir", "/a\nb", Invalid),
        ("time.zone", "Mars/Olympus", Invalid),
        ("langs", "en", NotFound),
        ("store", "x", NotFound),
        ("store.url", SECRET, UsageProblem),
        ("store.url", "postgresql://h/db?password=hunter2", UsageProblem),
    ],
)
def test_set_checks_before_it_touches_anything(file, key, value, error):
    with pytest.raises(error) as caught:
        put(file, key, value)
    assert "hunter2" not in str(caught.value) + caught.value.advice
    assert file.read_text() == COMMENTED


def test_set_refuses_a_section_that_is_none(file):
    file.write_text("store = 3\n")
    with pytest.raises(BadConfiguration, match="layout") as caught:
        put(file, "store.tls", "verify")
    assert caught.value.advice == "edit it by hand"
    assert file.read_text() == "store = 3\n"


def test_set_refuses_links_and_files_of_others(file, tmp_path):
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    dangling = tmp_path / "dangling.toml"
    dangling.symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (link, dangling, tmp_path / "fifo", tmp_path):
        with pytest.raises(BadConfiguration):
            put(path, "lang", "en")
    file.chmod(0o622)
    with pytest.raises(BadConfiguration):
        put(file, "lang", "en")
    assert link.is_symlink()
    assert not (tmp_path / "nowhere").exists()
    assert file.read_text() == COMMENTED


def test_set_does_not_outgrow_what_can_be_read(file):
    file.write_text("#" * (MAX_BYTES - 5) + "\n")
    with pytest.raises(BadConfiguration):
        put(file, "store.url", "/a")
    assert file.stat().st_size == MAX_BYTES - 4


# -- unset -----------------------------------------------------------------------------------------------------------


def test_unset_takes_the_key_out_and_is_repeatable(file):
    change = drop(file, "store.url")
    assert (change.outcome, change.before, change.after) == ("removed", "/srv/store.db", None)
    assert file.read_text() == COMMENTED.replace('url = "/srv/store.db"  # on the fast disk\n', "")
    assert drop(file, "store.url").outcome == "unchanged"


def test_unset_also_removes_what_is_no_setting(file):
    file.write_text("[stor]\nurl = 'postgresql://u:hunter2@h/db'\n")
    change = drop(file, "stor.url")
    assert (change.outcome, change.before) == ("removed", "postgresql://u:***@h/db")
    with pytest.raises(NotFound):
        drop(file, "stor.url")


def test_unset_makes_no_file(tmp_path):
    path = tmp_path / "a" / "config.toml"
    assert drop(path, "lang").outcome == "unchanged"
    assert not path.parent.exists()


# -- rehearsals ------------------------------------------------------------------------------------------------------


def test_a_rehearsal_says_the_same_and_touches_nothing(file, tmp_path):
    fresh = tmp_path / "x" / "config.toml"
    before = sorted(path.stat() for path in [tmp_path, *tmp_path.iterdir()])
    assert put(file, "lang", "en", dry_run=True) == ConfigChange("lang", str(file), "updated", "zh", "en", dry_run=True)
    assert drop(file, "lang", dry_run=True).outcome == "removed"
    assert put(fresh, "lang", "en", dry_run=True).outcome == "created"
    assert service.init(fresh, dry_run=True) == ConfigFileMade(str(fresh), "created", dry_run=True)
    with pytest.raises(Invalid):
        put(file, "lang", "fr", dry_run=True)
    with pytest.raises(FileExists):
        service.init(file, dry_run=True)
    assert sorted(path.stat() for path in [tmp_path, *tmp_path.iterdir()]) == before


def test_a_rehearsal_notices_what_cannot_be_written(file, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with ordinary_account(tmp_path) as euid:
        for path in (file / "config.toml", closed / "config.toml", closed / "new" / "config.toml"):
            for dry_run in (True, False):
                with pytest.raises(FileUnreadable):
                    service.set_value(path, "lang", "en", euid, dry_run=dry_run)


@contextmanager
def ordinary_account(folder):
    """Become an account that may not write everywhere; where the tests are not run by root they are one already."""
    if os.geteuid() != 0:
        yield os.geteuid()
        return
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        yield 65534
    finally:
        os.seteuid(0)


# -- init and the sample ---------------------------------------------------------------------------------------------


def test_init_writes_the_sample_once(tmp_path):
    path = tmp_path / "new" / "config.toml"
    assert service.init(path) == ConfigFileMade(str(path), "created", dry_run=False)
    assert path.read_text() == service.sample()
    assert settings_of(path).origin("lang") == "default"
    with pytest.raises(FileExists) as caught:
        service.init(path)
    assert caught.value.exit == 5


def test_an_empty_value_is_taken_out_too(file):
    put(file, "store.url", "")
    assert drop(file, "store.url").outcome == "removed"
    assert "url" not in file.read_text()


def test_init_follows_no_link(tmp_path):
    (tmp_path / "config.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExists):
        service.init(tmp_path / "config.toml")
    assert not (tmp_path / "nowhere").exists()


def test_the_sample_in_the_tree_is_the_one_that_init_writes():
    assert (TOP / "sample-config.toml").read_text() == service.sample()


def test_the_sample_uncommented_is_the_table_of_defaults(tmp_path):
    path = tmp_path / "config.toml"
    lines = service.sample().splitlines(keepends=True)
    path.write_text("".join(line.removeprefix("#") if not line.startswith("# ") else line for line in lines))
    path.chmod(0o600)
    settings = settings_of(path)
    for setting in TABLE:
        assert settings[setting.key] == setting.default
        assert settings.origin(setting.key).startswith(f"{path}:")


# -- validate --------------------------------------------------------------------------------------------------------


def test_validate_reports_every_problem_at_its_line(tmp_path):
    system, home = tmp_path / "etc", tmp_path / "home"
    system.mkdir()
    (system / "config.toml").write_text("[store]\ntls = 'no'\nurl\nulr = ''\n[import]\nchunk = 0\nchunk = 1\n")
    personal = home / ".config/usermgmt/config.toml"
    personal.parent.mkdir(parents=True)
    personal.write_text("lang = 'en'\n")
    personal.chmod(0o666)
    env = {"HOME": str(home), "USERMGMT_STORE_BUSY_TIMEOUT": "soon"}
    result = service.validate(env, tmp_path, None, ME, system_dir=system)
    assert result.files == (str(system / "config.toml"),)
    places = [(problem.where, problem.key) for problem in result.problems]
    etc = f"{system}/config.toml"
    assert places == [
        (f"{etc}:2", "store.tls"),
        (f"{etc}:3", ""),
        (f"{etc}:4", "store.ulr"),
        (f"{etc}:6", "import.chunk"),
        (f"{etc}:7", ""),
        (str(personal), ""),
        ("env USERMGMT_STORE_BUSY_TIMEOUT", "store.busy_timeout"),
    ]
    assert result.problems[2].advice == "did you mean store.url?"
    assert result.problems[5].advice == f"chmod go-w {personal}"


def test_validate_finds_nothing_in_a_good_configuration(file):
    result = service.validate({"HOME": "/nowhere"}, file.parent, file, ME, system_dir=Path("/nowhere"))
    assert (result.files, result.problems) == ((str(file),), ())


def test_validate_neutralises_and_wants_the_named_file(file):
    file.write_text('"\\u001b[2J" = 1\n')
    result = service.validate({"HOME": "/nowhere"}, file.parent, file, ME, system_dir=Path("/nowhere"))
    assert result.problems == (ConfigProblem(f"{file}:1", '"\\u{1b}[2J"', "there is no such setting", ""),)
    with pytest.raises(FileMissing):
        service.validate({}, file.parent, Path("gone.toml"), ME, system_dir=Path("/nowhere"))


# -- faults ----------------------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
from pathlib import Path
from usermgmt.domains.config import service
path, action, euid = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
try:
    service.init(path) if action == "init" else service.set_value(path, "lang", "en", euid)
except Exception as error:
    print(type(error).__name__, error.exit)
"""


@pytest.mark.parametrize("action", ["set", "init"])
def test_a_full_disk_leaves_the_old_file_and_no_rest(file, action):
    path = file if action == "set" else file.parent / "new.toml"
    command = [sys.executable, "-B", "-c", LIMITED, str(path), action, str(ME)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=TOP, timeout=60)
    assert done.stdout.split() == [DiskFull.__name__, "8"]
    assert file.read_text() == COMMENTED
    assert list(file.parent.iterdir()) == [file]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 16


SETTER = """
import sys
from pathlib import Path
from usermgmt.domains.config import service
for number in range(5):
    service.set_value(Path(sys.argv[1]), sys.argv[2], sys.argv[3].format(number), int(sys.argv[4]))
"""


def test_eight_processes_lose_no_change(file):
    wishes = {
        "import.max_file": "{}1KiB",
        "import.max_row": "{}1KiB",
        "import.max_field": "{}1KiB",
        "import.max_rows": "{}1",
        "import.chunk": "{}1",
        "store.busy_timeout": "{}1s",
        "store.key_dir": "/keys{}1",
        "audit.anchor_dir": "/anchors{}1",
    }
    running = [
        subprocess.Popen([sys.executable, "-B", "-c", SETTER, str(file), key, value, str(ME)], cwd=TOP)
        for key, value in wishes.items()
    ]
    assert [process.wait(60) for process in running] == [0] * 8
    got = tomllib.loads(file.read_text())
    for key, value in wishes.items():
        section, _dot, name = key.partition(".")
        assert str(got[section][name]) == value.format(4)
    assert got["store"]["url"] == "/srv/store.db"
    assert list(file.parent.iterdir()) == [file]


def test_a_lock_that_is_held_is_not_waited_for_without_end(file, monkeypatch):
    monkeypatch.setattr(service, "LOCK_SECONDS", 0.05)
    descriptor = os.open(file.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(Unavailable, match="another program is changing"):
            put(file, "lang", "en")
    finally:
        os.close(descriptor)
    assert put(file, "lang", "en").outcome == "updated"
