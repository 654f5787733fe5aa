"""Where settings come from, which one wins, and what is refused on the way."""

from __future__ import annotations

import itertools
import os
import pwd
import socket
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel import settings as module
from usermgmt.kernel.errors import BadConfiguration, FileMissing, Invalid, UsageProblem
from usermgmt.kernel.settings import BY_KEY, TABLE, Problem, default_store, file_to_write, home, load, narrowed
from usermgmt.kernel.settings_file import MAX_BYTES, ConfigFile, TomlFault, survey
from usermgmt.kernel.settings_values import Setting, check, from_text, is_secret, mask_url, shown

# root's own files are everybody's to trust; as root, the tests play an ordinary account
ME = os.geteuid() or 1000
SECRET = "postgresql+psycopg://u:hunter2@h/db"


class Host:
    """A host of its own: /etc, a home, a working directory."""

    def __init__(self, root: Path):
        self.etc = root / "etc"
        self.home = root / "home"
        self.cwd = root / "work"
        for folder in (self.etc, self.home, self.cwd):
            folder.mkdir()
        self.env = {"HOME": str(self.home)}
        self.system = self.etc / "config.toml"
        self.personal = self.home / ".config/usermgmt/config.toml"

    def write(self, path: Path, content: str | bytes, mode: int = 0o600) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def load(self, config=None, overrides=None, euid=ME, **env):
        return load({**self.env, **env}, self.cwd, config, overrides or {}, euid, system_dir=self.etc)

    def refusal(self, config=None, overrides=None, error=BadConfiguration, **env):
        with pytest.raises(error) as caught:
            self.load(config, overrides, **env)
        return caught.value


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


# -- which one wins ------------------------------------------------------------------------------------------------


def test_without_anything_the_table_holds(host):
    settings = host.load()
    assert {row.key: settings[row.key] for row in TABLE} == {row.key: row.default for row in TABLE}
    assert {settings.origin(row.key) for row in TABLE} == {"default"}
    assert settings.files == ()


@pytest.mark.parametrize("layers", list(itertools.product([False, True], repeat=5)), ids=str)
def test_the_later_layer_wins(host, layers):
    system, personal, named, environment, option = layers
    expected = [(20000, "default")]
    arguments = {"config": None, "overrides": {}}
    if system:
        host.write(host.system, "[import]\nchunk = 1\n")
        expected.append((1, f"{host.system}:2"))
    if personal:
        host.write(host.personal, "\n[import]\nchunk = 2\n")
        expected.append((2, f"{host.personal}:3"))
    if named:
        arguments["config"] = host.write(host.cwd / "named.toml", "import.chunk = 3\n")
        expected.append((3, f"{host.cwd}/named.toml:1"))
    if environment:
        arguments["USERMGMT_IMPORT_CHUNK"] = "4"
        expected.append((4, "env USERMGMT_IMPORT_CHUNK"))
    if option:
        arguments["overrides"] = {"import.chunk": ("5", "--chunk")}
        expected.append((5, "--chunk"))
    settings = host.load(**arguments)
    assert (settings.number("import.chunk"), settings.origin("import.chunk")) == expected[-1]


def test_layers_are_merged_key_by_key(host):
    host.write(host.system, "[import]\nchunk = 1\nmax_rows = 7\n")
    host.write(host.personal, "[import]\nchunk = 2\n")
    settings = host.load()
    assert (settings["import.chunk"], settings["import.max_rows"]) == (2, 7)
    assert settings.files == (host.system, host.personal)


def test_the_named_file_comes_from_the_option_before_the_environment(host):
    host.write(host.cwd / "a.toml", "lang = 'zh'\n")
    host.write(host.cwd / "b.toml", "lang = 'en'\n")
    assert host.load(USERMGMT_CONFIG="a.toml").text("lang") == "zh"
    assert host.load(config=Path("b.toml"), USERMGMT_CONFIG="a.toml").text("lang") == "en"


def test_root_reads_no_personal_file(host):
    host.write(host.personal, "lang = 'zh'\n")
    assert host.load(euid=0).text("lang") == ""


@pytest.mark.parametrize(("given", "read"), [("{}/xdg", True), ("relative", False), ("", False)])
def test_xdg_config_home_counts_where_absolute(host, given, read):
    host.write(host.home / "xdg/usermgmt/config.toml", "lang = 'zh'\n")
    host.write(host.personal, "lang = 'en'\n")
    settings = host.load(XDG_CONFIG_HOME=given.format(host.home))
    assert settings.text("lang") == ("zh" if read else "en")


def test_the_short_variable_of_the_store_wins_over_the_regular_one(host):
    settings = host.load(USERMGMT_STORE="/a.db", USERMGMT_STORE_URL="/b.db")
    assert (settings.text("store.url"), settings.origin("store.url")) == ("/a.db", "env USERMGMT_STORE")


def test_an_empty_variable_and_an_option_not_given_count_as_absent(host):
    host.write(host.system, "lang = 'zh'\n")
    assert host.load(USERMGMT_LANG="", overrides={"lang": (None, "--lang")}).text("lang") == "zh"


def test_other_variables_are_left_alone(host):
    assert host.load(USERMGMT_CORPUS="/x", USERMGMT="y").files == ()


# -- values ----------------------------------------------------------------------------------------------------------


def row(kind, **more):
    return Setting("a.b", kind, "", "", **more)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "a b", "a b"),
        ("int", "-5", -5),
        ("int", "10_000", 10_000),
        ("bool", "Yes", True),
        ("bool", "0", False),
        ("duration", "90", 90.0),
        ("duration", "2m", 120.0),
        ("duration", "1w", 604_800.0),
        ("size", "64KiB", 65_536),
        ("size", "1 GiB", 1 << 30),
        ("size", "12", 12),
        ("list", "", ()),
        ("list", "a, b,,c ", ("a", "b", "c")),
        ("list", '["a,b", "c d"]', ("a,b", "c d")),
        ("path", "", ""),
        ("path", "/x", "/x"),
        ("path", "~/x", "~/x"),
        ("path", "x/y", "/base/x/y"),
        ("store", "x.db", "/base/x.db"),
        ("store", "postgresql:///db", "postgresql:///db"),
        ("zone", "UTC", "UTC"),
    ],
)
def test_words_are_read_as_their_kind(kind, text, value):
    setting = row(kind, minimum=-10)
    read = check(setting, from_text(setting, text, Path("/base")))
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("text", 1),
        ("text", "a\x00b"),
        ("text", "\udc80"),
        ("int", True),
        ("int", 1.0),
        ("int", "1"),
        ("int", -1),
        ("int", 11),
        ("bool", 1),
        ("bool", "true"),
        ("duration", "soon"),
        ("duration", "1y"),
        ("duration", 1.5),
        ("duration", True),
        ("duration", "11s"),
        ("size", "1KB"),
        ("size", "-1KiB"),
        ("size", "1KiB"),
        ("list", "a"),
        ("list", [1]),
        ("list", from_text(row("list"), "[1")),
        ("list", ["\x1b"]),
        ("path", "x"),
        ("path", ["/x"]),
        ("store", "x.db"),
        ("zone", "Mars/Olympus"),
        ("zone", "../etc/passwd"),
        ("zone", "/etc/passwd"),
        ("zone", ""),
        ("zone", "a" * 5000),
    ],
)
def test_other_values_are_refused(kind, raw):
    with pytest.raises(Invalid):
        check(row(kind, maximum=10), raw)


def test_getters_give_what_programs_want(host):
    settings = host.load(
        USERMGMT_STORE_BUSY_TIMEOUT="2m",
        USERMGMT_IMPORT_MAX_FIELD="1KiB",
        USERMGMT_STORE_KEY_DIR="~/keys",
        USERMGMT_TIME_ZONE="Asia/Shanghai",
    )
    assert settings.seconds("store.busy_timeout") == 120.0
    assert settings.number("import.max_field") == 1024
    assert settings.path("store.key_dir") == host.home / "keys"
    assert settings.path("audit.anchor_dir") is None
    assert str(settings.zone()) == "Asia/Shanghai"
    assert [settings.shown(key) for key in ("store.busy_timeout", "import.max_field")] == ["2m", "1KiB"]


def test_utc_needs_no_time_zone_database(host, monkeypatch):
    monkeypatch.setattr("zoneinfo.ZoneInfo", pytest.fail)
    assert str(host.load().zone()) == "UTC"


def test_a_relative_path_of_the_caller_counts_from_the_working_directory(host):
    assert host.load(overrides={"store.url": ("x.db", "--store")}).path("store.url") == host.cwd / "x.db"
    assert host.load(USERMGMT_STORE="x.db").path("store.url") == host.cwd / "x.db"
    assert host.load(overrides={"store.url": ("~/x.db", "--store")}).path("store.url") == host.home / "x.db"


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (SECRET, "postgresql+psycopg://u:***@h/db"),
        ("postgresql://u:p@ss/w?rd@h/db", "postgresql://u:***@h/db"),
        ("postgresql://:p@h/db", "postgresql://:***@h/db"),
        ("postgresql://h/db?user=u&password=p", "postgresql://h/db?user=u&password=***"),
        ("postgresql://h/db?pass%77ord=p@q&x=1", "postgresql://h/db?pass%77ord=***&x=1"),
        ("postgresql://u@h:5432/db?sslmode=verify-full", "postgresql://u@h:5432/db?sslmode=verify-full"),
        ("/var/lib/a:b@c.db", "/var/lib/a:b@c.db"),
    ],
)
def test_passwords_in_urls_are_masked(url, masked):
    assert mask_url(url) == masked
    assert is_secret(row("store"), url) == (url != masked)


def test_sensitive_values_are_never_shown():
    setting = row("text", sensitive=True, maximum=3)
    assert shown(setting, "hunter2") == "***"
    with pytest.raises(Invalid) as caught:
        check(setting, ["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_a_password_in_an_option_is_refused(host):
    refusal = host.refusal(overrides={"store.url": (SECRET, "--store")}, error=UsageProblem)
    assert "--store" in refusal.message
    assert "hunter2" not in refusal.message + refusal.advice + str(refusal.details)


def test_a_password_in_a_file_that_everybody_reads_is_refused(host):
    host.write(host.system, f'store.url = "{SECRET}"\n', 0o640)
    assert host.load().shown("store.url") == "postgresql+psycopg://u:***@h/db"
    host.system.chmod(0o644)
    refusal = host.refusal()
    assert "hunter2" not in refusal.message + refusal.advice + str(refusal.details)
    assert f"chmod o-r {host.system}" in refusal.advice


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("store.url", "postgresql:/u:hunter2@h"),
        ("store.url", "host=h password=hunter2"),
        ("store.url", ["hunter2"]),
        ("store.password_file", "hunter2"),
        ("store.password_file", SECRET),
        ("lang", SECRET),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_printed_back(host, key, value):
    host.write(host.system, f"{key} = {value!r}\n")
    refusal = host.refusal()
    assert key in refusal.message
    assert "hunter2" not in refusal.message + refusal.advice + str(refusal.details)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("lang = 'en'\n\nlang = 'zh'\n", 3, "stands on line 1 already"),
        ("lang = \n", 1, "Invalid value"),
        ("# x\nlang = 'en", 2, "Expected"),
        ("[store\n", 1, "]"),
        ("a = [1,\n", 1, "Invalid value"),
        ("\n\nstor.url = ''\n", 3, "stor.url: there is no such setting"),
        ("[store]\ntls = 'verify'\nurls = ''\n", 3, "store.urls"),
        ("url = ''\n", 1, "no such setting"),
        ("'store.url' = ''\n", 1, '"store.url": there is no such setting'),
        ("[nonsense]\n", 1, "nonsense"),
        ("[[store]]\nurl = ''\n", 1, "section"),
        ("store = 1\n", 1, "section"),
        ("store = { url = '' }\nstore.tls = 'verify'\n", 2, "immutable"),
        ("[lang]\n", 1, "lang: {} is not a text"),
        ("lang = true\n", 1, "lang: true is not a text"),
        ("lang = 'fr'\n", 1, 'lang: "fr" is not one of "", en, zh'),
        ('x = """\n[import]\n"""\n', 1, "x"),
        ("import.max_rows = 1.5\n", 1, "1.5 is not a whole number"),
        ("import.max_rows = true\n", 1, "true is not a whole number"),
        ("import.max_rows = 0\n", 1, "0 is outside 1 to"),
        ("import.chunk = 20001\n", 1, "20001 is outside 1 to 20000"),
        ("[store]\n# c\nbusy_timeout = '2h'\n", 3, "outside 0 to 1h"),
        ("[store]\nbusy_timeout = 'soon'\n", 2, "not a duration"),
        ("import.max_file = '1GB'\n", 1, "not a size"),
        ("lang = 'zh'\n性别 = 'x'\n", 2, "stands in quotes"),
        ("[性别]\n", 1, "stands in quotes"),
        ("lang = 'zh'\nlang.性别 = 'x'\n", 2, "stands in quotes"),
        ("time.zone = 'asia/shanghai'\n", 1, "not a time zone"),
        ("store.key_dir = 'keys'\n", 1, "absolute path"),
        ("time.zone = 2026-01-01\n", 1, "2026-01-01 is not a text"),
        ("a = " + "[" * 100_000, 0, "nested too deeply"),
        ("a = " + "{a=" * 100_000, 0, "nested too deeply"),
        ("lang = " + "9" * 5000, 1, "digits"),
        ("lang = 0x" + "f" * 5000, 1, "0x… is not a text"),
        ("import.chunk = 0x" + "f" * 5000, 1, "0x… is outside 1 to 20000"),
        (".".join("a" * 100_000) + " = 1\n", 1, "dots"),
        ("x = {a = '''\n''', " + ".".join("a" * 100_000) + " = ''}\n", 2, "dots"),
        ("".join(f"k{i} = 1\n" for i in range(50_000)), 0, "more than 1000 keys"),
        ("x" * 100_000 + " = 1\n", 1, "no such setting"),
    ],
)
def test_a_bad_file_is_refused_at_its_line(host, text, line, words):
    host.write(host.personal, text)
    started = time.process_time()
    refusal = host.refusal()
    assert time.process_time() - started < 5
    assert refusal.exit == 8
    assert words in refusal.facts["problem"]
    assert len(refusal.message) < 1000
    place = str(host.personal)
    assert refusal.facts["path"] in ({f"{place}:{line}"} if line else {place, f"{place}:1"})


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("stor.url = ''", "store.url"),
        ("[store]\nbusy-timeout = 1", "store.busy_timeout"),
        ("url = ''", "store.url"),
        ("Lang = 'en'", "lang"),
        ("output.color = 'Never'", "never"),
        ("time.zone = 'asia/shanghai'", "Asia/Shanghai"),
    ],
)
def test_the_nearest_name_is_offered(host, text, meant):
    host.write(host.personal, text)
    assert host.refusal().advice == f"did you mean {meant}?"


def test_a_byte_order_mark_and_windows_line_ends_are_read(host):
    host.write(host.personal, b"\xef\xbb\xbf[store]\r\n\r\ntls = 'insecure-allowed'\r\n")
    settings = host.load()
    assert settings.text("store.tls") == "insecure-allowed"
    assert settings.origin("store.tls") == f"{host.personal}:3"


def test_other_encodings_are_refused_at_their_line(host):
    host.write(host.personal, "lang = 'en'\n# 中文\n".encode("gb18030"))
    assert host.refusal().message == f"The configuration {host.personal}:2 is not usable: it is not UTF-8."


def test_escape_sequences_reach_no_message(host):
    for text in (
        r'lang = "\u001b[31m"',
        r'"\u001b]0;x\u0007" = 1',
        "lang = '\x1b[31m'",
        r"[store]" + '\n"\\u202e" = 1',
    ):
        host.write(host.personal, text)
        refusal = host.refusal()
        for shown_text in (refusal.message, refusal.advice):
            assert shown_text.isprintable()
            assert not set(shown_text) & set("\x1b\x07\u202e")


def test_a_huge_file_is_refused_by_what_is_read(host):
    host.write(host.personal, b"#" * MAX_BYTES)
    assert host.load().files == (host.personal,)
    host.write(host.personal, b"#" * (MAX_BYTES + 1))
    assert "larger than" in host.refusal().message
    with host.personal.open("r+b") as stream:
        stream.truncate(1 << 40)
    assert "larger than" in host.refusal().message


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_a_file_that_others_may_write_is_refused(host, mode):
    host.write(host.personal, "lang = 'en'\n", mode)
    refusal = host.refusal()
    assert "other accounts may write" in refusal.message
    assert refusal.advice == f"chmod go-w {host.personal}"


def test_a_file_of_another_account_is_refused(host):
    host.write(host.personal, "lang = 'en'\n")
    if os.geteuid() == 0:
        os.chown(host.personal, 4242, -1)
    assert host.load(euid=host.personal.stat().st_uid).text("lang") == "en"
    with pytest.raises(BadConfiguration, match="belongs to another account"):
        host.load(euid=host.personal.stat().st_uid + 1)


def test_links_and_what_is_no_file_are_refused_at_once(host):
    target = host.write(host.home / "real.toml", "lang = 'zh'\n")
    host.personal.parent.mkdir(parents=True)
    host.personal.symlink_to(target)
    assert "symbolic link" in host.refusal().message
    host.personal.unlink()
    host.personal.symlink_to(host.home / "nowhere")
    assert "symbolic link" in host.refusal().message
    host.personal.unlink()
    os.mkfifo(host.personal, 0o600)
    assert "not a regular file" in host.refusal().message
    host.personal.unlink()
    host.personal.mkdir()
    assert "it is a directory" in host.refusal().message


def test_a_socket_and_a_device_are_refused(host, monkeypatch):
    monkeypatch.chdir(host.cwd)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.toml")
        assert "not a regular file" in host.refusal(config=Path("s.toml")).message
    assert "not a regular file" in host.refusal(config=Path("/dev/null")).message


def test_a_named_file_has_to_exist(host):
    refusal = host.refusal(config=Path("gone.toml"), error=FileMissing)
    assert refusal.exit == 3
    assert refusal.facts["path"] == host.cwd / "gone.toml"
    host.refusal(error=FileMissing, USERMGMT_CONFIG="/nowhere/gone.toml")
    host.write(host.cwd / "file", "")
    host.refusal(config=Path("file/gone.toml"), error=FileMissing)


def test_a_bad_variable_is_refused_by_its_name(host):
    refusal = host.refusal(USERMGMT_OUTPUT_COLOR="purple\x1b")
    assert refusal.exit == 8
    assert refusal.facts["path"] == "env USERMGMT_OUTPUT_COLOR"
    assert "\x1b" not in refusal.message


def test_a_bad_option_is_a_usage_error(host):
    refusal = host.refusal(overrides={"output.color": ("neve", "--color")}, error=UsageProblem)
    assert refusal.exit == 2
    assert refusal.message.startswith("--color: output.color:")
    assert refusal.advice == "did you mean never?"


@contextmanager
def ordinary_account(host):
    """Become an account that may read what it should; where the tests are not run by root they are one already."""
    if os.geteuid() != 0:
        yield os.geteuid()
        return
    for folder in (host.etc, *host.etc.parents):
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        yield 65534
    finally:
        os.seteuid(0)


def test_a_file_that_cannot_be_read_is_refused_not_skipped(host):
    host.write(host.system, "lang = 'zh'\n", 0o000)
    with ordinary_account(host) as euid, pytest.raises(BadConfiguration, match="Permission denied"):
        host.load(euid=euid)


def test_a_home_that_cannot_be_entered_holds_no_configuration_of_ours(host):
    host.write(host.personal, "lang = 'zh'\n")
    host.home.chmod(0o000)
    try:
        with ordinary_account(host) as euid:
            assert host.load(euid=euid).files == ()
    finally:
        host.home.chmod(0o700)


# -- lines -----------------------------------------------------------------------------------------------------------


def test_keys_are_found_on_their_lines(host):
    text = (
        "# lang = 'no'\n"
        'lang = """\\\n  zh"""\n'
        "\n"
        "output = { color = 'never' }\n"
        "[import] # chunk = 1\n"
        "  'max_rows'   = 1\n"
        "chunk=2\n"
        "[store]\n"
        "key_dir = '''/k'''\n"
        'password_file = "/a#b[\\"[store]"\n'
    )
    host.write(host.personal, text)
    settings = host.load()
    lines = {"lang": 2, "output.color": 5, "import.max_rows": 7, "import.chunk": 8, "store.key_dir": 10}
    lines["store.password_file"] = 11
    assert {key: settings.origin(key) for key in lines} == {key: f"{host.personal}:{n}" for key, n in lines.items()}


def test_a_survey_goes_on_after_a_fault():
    text = "lang = \n[store]\nurl = 'a'\nurl = 'b'\n= 3\ntls = [\n  'x',\n]\n[store]\nx = '''\nopen\n"
    found = [(line, key, str(value)) for line, key, value in survey(text, BY_KEY)]
    assert [item for item in found if item[0] in (3, 6)] == [(3, "store.url", "a"), (6, "store.tls", "['x']")]
    faults = [(line, text) for line, _key, text in found if line in (1, 4, 5, 9, 10)]
    assert [line for line, _text in faults] == [1, 4, 4, 5, 9, 9, 10]
    assert (4, "store.url stands on line 3 already") in faults
    assert (9, "store stands on line 2 already") in faults


_PUNCTUATION = [
    "[",
    "[[",
    "]",
    "{",
    "}",
    "=",
    " ",
    ".",
    ",",
    '"',
    "'",
    '"' * 3,
    "'" * 3,
    "#",
    "\\",
    "\t",
    "\ufeff",
    "é",
]
_STATEMENTS = [
    "[import]\n",
    "chunk = 5\n",
    "x = [ 1,\n2]\n",
    "y = '''\n[a]\n'''\n",
    'z = "[" # "\n',
    "w = { a = '}' }\r\n",
]
_WORDS = st.sampled_from(["lang", "store", "url", "\n", "\r\n", "1", "true", "'en'", *_PUNCTUATION, *_STATEMENTS * 4])


@given(st.lists(_WORDS, max_size=40).map("".join))
def test_a_survey_agrees_with_the_parser(text):
    try:
        values = ConfigFile(Path("c"), text, BY_KEY).values()
    except TomlFault:
        return
    surveyed = list(survey(text, BY_KEY))
    assert not [fault for _line, _key, fault in surveyed if isinstance(fault, TomlFault)]
    assert set(values) <= {key for _line, key, _value in surveyed}
    lines = text.replace("\r\n", "\n").split("\n")
    for line, key, _value in surveyed:
        assert key.split(".")[-1].strip('"') in "\n".join(lines[line - 1 :])


@given(st.one_of(st.binary(max_size=200), st.lists(_WORDS, max_size=40).map(lambda words: "".join(words).encode())))
def test_any_file_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "c.toml")
        file.write_bytes(data)
        try:
            settings = load({"HOME": folder}, Path(folder), file, {}, ME, system_dir=Path(folder, "etc"))
            said = [settings.origin(row.key) for row in TABLE]
        except BadConfiguration as refusal:
            said = [refusal.message]
        assert all(text.isprintable() for text in said)


# -- places ----------------------------------------------------------------------------------------------------------


def account(monkeypatch, folder):
    def lookup(_uid):
        if folder is None:
            raise KeyError
        return SimpleNamespace(pw_dir=folder)

    monkeypatch.setattr(pwd, "getpwuid", lookup)


@pytest.mark.parametrize(
    ("registered", "given", "expected"),
    [
        ("/home/a", "/home/b", "/home/b"),
        ("/home/a", "", "/home/a"),
        ("/home/a", "relative", "/home/a"),
        ("/var/lib/usermgmt", "/root", "/var/lib/usermgmt"),
        (None, "/home/b", "/home/b"),
        (None, "", "/"),
    ],
)
def test_home(monkeypatch, registered, given, expected):
    account(monkeypatch, registered)
    assert home({"HOME": given} if given else {}, 1000) == Path(expected)


@pytest.mark.parametrize(
    ("euid", "folder", "env", "store"),
    [
        (0, "/root", {"XDG_DATA_HOME": "/x"}, "/var/lib/usermgmt/store.db"),
        (999, "/var/lib/usermgmt", {"XDG_DATA_HOME": "/x"}, "/var/lib/usermgmt/store.db"),
        (1000, "/home/a", {}, "/home/a/.local/share/usermgmt/store.db"),
        (1000, "/home/a", {"XDG_DATA_HOME": "/x"}, "/x/usermgmt/store.db"),
        (1000, "/home/a", {"XDG_DATA_HOME": "x"}, "/home/a/.local/share/usermgmt/store.db"),
    ],
)
def test_default_store(euid, folder, env, store):
    assert default_store(env, euid, Path(folder)) == Path(store)


def test_the_file_to_write(host):
    def at(config=None, euid=ME, **env):
        return file_to_write({**host.env, **env}, host.cwd, config, euid, system_dir=host.etc)

    assert at() == host.personal
    assert at(euid=0) == host.system
    assert at(USERMGMT_CONFIG="c.toml") == host.cwd / "c.toml"
    assert at(config=Path("/d.toml"), euid=0, USERMGMT_CONFIG="c.toml") == Path("/d.toml")


def test_a_narrowed_environment_chooses_looks_and_nothing_else(host):
    env = {
        "HOME": str(host.home),
        "XDG_CONFIG_HOME": "/x",
        "XDG_DATA_HOME": "/x",
        "USERMGMT_CONFIG": "/x",
        "USERMGMT_LANG": "zh",
        "USERMGMT_OUTPUT_COLOR": "never",
        "NO_COLOR": "1",
        **{name: "x" for setting in TABLE if not setting.personal for name in setting.variables},
    }
    assert narrowed(env) == {"USERMGMT_LANG": "zh", "USERMGMT_OUTPUT_COLOR": "never", "NO_COLOR": "1"}


# -- the table -------------------------------------------------------------------------------------------------------


def test_every_default_passes_its_own_check(host):
    for setting in TABLE:
        raw = shown(setting, setting.default)
        assert check(setting, raw) == setting.default, setting.key
        assert setting.help


def test_variables_are_unambiguous():
    names = [name for setting in TABLE for name in setting.variables]
    assert len(names) == len(set(names))
    assert "USERMGMT_CONFIG" not in names
    assert {"USERMGMT_STORE", "USERMGMT_LANG", "USERMGMT_STORE_BUSY_TIMEOUT"} <= set(names)


def test_problems_become_errors_in_the_caller_s_words():
    error = Problem("/c.toml:3", "a.b", "bad {x}", "did you mean {nearest}?", "c").error()
    assert str(error) == "The configuration /c.toml:3 is not usable: a.b: bad {x}."
    assert error.advice == "did you mean c?"
    assert module.Settings()["lang"] == ""
