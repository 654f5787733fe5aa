"""Inputs for every reader, made of valid ones by seeded mutation; a reader takes one or refuses it by our own errors.

As a program, a campaign in a process of its own whose memory is limited: `fuzzing.py READER COUNT SEED`.
"""

# ruff: noqa: E501 - the tables of inputs are as wide as they are

from __future__ import annotations

import io
import json
import random
import resource
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "engines"))
from workbooks import parts, sheet, zipped

from usermgmt.domains.import_ import mapfile, transforms
from usermgmt.domains.import_.mapping import Resolver
from usermgmt.domains.user.importing import IMPORTER
from usermgmt.engines.tabular.reading import open_table
from usermgmt.engines.tabular.types import BadRecord, Format, Limits
from usermgmt.kernel import settings
from usermgmt.kernel.errors import Exit, UsermgmtError
from usermgmt.kernel.settings_file import ConfigFile

REFUSALS = {Exit.USAGE, Exit.NOT_FOUND, Exit.INVALID, Exit.PARTIAL, Exit.UNAVAILABLE}
# what one input may take of the memory, beyond what the program has when it begins
MEMORY = 256 << 20
SLOW = 1.0

ROWS = (
    "username,email,phone,tags,birth_date,external_ids\r\n"
    'alice,alice@example.com,13800138000,vip;beta,1990-05-17,"{""hr"":""7""}"\r\n'
    '张伟,,+8613800138001,"a ""b"", c",,\r\n'
    "bob,bob@example.com,,,2000-02-29,\r\n"
)
OBJECTS = [
    {"username": "alice", "tags": ["vip", "beta"], "external_ids": {"hr": "7"}, "birth_date": "1990-05-17"},
    {"username": "张伟", "phone": "+8613800138001", "email": None, "addresses": ["email:a@b.com"], "n": -1.5e3},
]
MAP = """
[columns]
"工号" = "external_ids.hr"
"姓名" = ["full_name", "display_name"]
"性别" = { field = "gender", values = { "男" = "male", "女" = "female" }, default = "" }
"生日" = { field = "birth_date", dates = ["%Y年%m月%d日", "iso", "excel"], trim = true }
"标签" = { field = "tags", split = ";", case = "lower" }
"起" = { field = "valid_from", dates = "%d/%m/%Y %H:%M", zone = "Asia/Shanghai" }
"名" = { field = ["username", "occupation"], split = "/", strip-prefix = ["No."], strip-suffix = "@corp" }
[fields.email]
template = "{工号}@example.com"
[fields.phone]
first = ["手机", "电话"]
[constants]
kind = "person"
[skip]
"状态" = ["离职", ""]
"""
CONFIG = """
lang = "zh"
[time]
zone = "Asia/Shanghai"
[output]
color = "never"
[store]
url = "/srv/users.db"
busy_timeout = "10s"
backup_every = "7d"
[audit]
anchor_dir = '/srv/anchors'
[import]
chunk = 5_000
max_file = "1GiB"
"""
SHEET = sheet(
    ["username", "birth_date", "phone"],
    ["alice", '<c r="B2" s="1"><v>33010.5</v></c>', '<c t="s"><v>0</v></c>'],
    ["bob", '<c t="b"><v>1</v></c>', "<c><f>A1+1</f><v>13800138000</v></c>"],
)
STYLES = (
    '<numFmts><numFmt numFmtId="170" formatCode="yyyy-mm-dd"/></numFmts><cellXfs><xf/><xf numFmtId="170"/></cellXfs>'
)
BOOK = parts(SHEET, strings="<si><t>+8613800138002</t></si><si><r><t>a</t></r></si>", styles=STYLES)

KEYS = [
    *(
        "a",
        '""',
        "'x y'",
        "a.b.c",
        ".".join("a" * 150),
        ".".join("a" * 20_000),
        '"' + "k" * 3000 + '"',
        "field",
        "张",
        '"\\u0000"',
    ),
    *(
        "username",
        "tags",
        "external_ids",
        "external_ids.",
        '"external_ids.x"',
        "lang",
        "store",
        "store.url",
        "[store]",
        "[[a]]",
    ),
]
VALUES = [
    *("1", "-1", "1.5", "nan", "inf", "1e400", "true", "[]", "{}", '""', "''", "'x'", "['x', '']", "[1, 'x']", "[[]]", "{ a = 1 }"),
    *("9" * 20, "9" * 5000, "0x" + "f" * 5000, "[" * 200 + "]" * 200, "[" * 5000 + "]" * 5000, "{a=" * 400 + "1" + "}" * 400),
    *("1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "99999-01-01", "'" + "x" * 70_000 + "'", '"\\ud800"', '"\\u0000\\u001b["'),
    *("'{0}'", "'{}'", "'{a'", "'{a!r}'", "'{a:{b}}'", "'{a.b[0]}'", "'%'", "'%Y%m%d'", "'%Y-%m-%d %y'", "'%Y(%m)*%d['", "['iso', 'excel-1904']"),
    *("'Mars/Phobos'", "'../../etc/passwd'", "'/etc/passwd'", "'Asia'", "'posixrules'", "'username'", "'external_ids.x'", "'-5s'", "'1e9d'"),
    *("'99999999999999999999d'", "'10 GiB'", "'postgresql+psycopg://u:p@[::1/x'", "'postgresql+psycopg:///a?host=%zz'", "'~nobody/x'", "'~'"),
    *('{ field = "tags", split = "" }', '{ field = "gender", values = { "" = "x" } }', '{ template = "{工号}" }', "{ first = [] }"),
]  # fmt: skip

# -- mutation ----------------------------------------------------------------------------------------------------------

TOKENS = [
    *(b"\0", b"\r", b"\n", b'"', b"'", b",", b";", b"\t", b"\\", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\x1a", b"\x1b["),
    *("\u2028 \u202e \ud7ff \U0010ffff 张 é ＠ \u0130".encode().split(b" ")),
    *(b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"{", b"}", b"[", b"]", b"[[", b"]]", b'{"a":', b":", b"null", b"NaN", b"-0"),
    *(b"1e999", b"9" * 20, b"9" * 5000, b"-Infinity", b"true", b"=", b".", b"%", b"%Y", b"{0}", b"{a.b[0]}", b"{a!r:>{b}}"),
    *(b"a" * 300, b"[" * 3000, b"{" * 400, b'{"a":' * 500, b"a." * 150, b"x.x" * 100, b'"""', b"'''", b"#", b"-", b"_", b"0x"),
    *(b"<", b">", b"&", b"&amp;", b"&x;", b"<!DOCTYPE a [<!ENTITY x 'y'>]>", b"<![CDATA[", b"]]>", b"<is>", b"</row>", b'r="XFE1"'),
    *(b'r="A0"', b'r="A99999999999"', b's="-1"', b't="e"', b't="d"', b"<v>1e400</v>", b"<v>-1</v>", b"_x0041_", b"_xD800_"),
    *(b"1979-05-27T07:32:00Z", b"99999-99-99", b"inf", b"nan", b"=cmd|' /C calc'!A0", b"../../etc", b"%n%s", b"/dev/full"),
]  # fmt: skip


def mutated(data: bytes, dice: random.Random) -> bytes:
    """A valid input with one to five changes: bits, pieces cut, doubled, moved, and what readers stumble over."""
    for _change in range(dice.choice((1, 1, 1, 2, 3, 5))):
        at, to = sorted((dice.randint(0, len(data)), dice.randint(0, len(data))))
        kind = dice.randrange(8)
        if kind == 0 and data:
            at = dice.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[min(to, at + dice.choice((1, 2, 8, 64))) :]
        elif kind == 2:
            data = data[:to] + data[at:to] * dice.choice((1, 1, 2, 20)) + data[to:]
        elif kind == 3:
            data = data[:at] if dice.random() < 0.5 else data[at:]
        elif kind == 4:
            data = data[:at] + dice.randbytes(dice.choice((1, 2, 8))) + data[at:]
        else:
            # as it is inserted, or in the place of something
            data = data[:at] + dice.choice(TOKENS) + data[dice.choice((at, min(to, at + 8))) :]
    return data


def book(dice: random.Random) -> bytes:
    """A workbook with a mutated part, or with its bytes mutated around it."""
    made = dict(BOOK)
    if dice.random() < 0.8:
        for name in dice.sample(sorted(made), dice.choice((1, 1, 2))):
            made[name] = mutated(made[name].encode(), dice)
    if dice.random() < 0.1:
        del made[dice.choice(sorted(made))]
    data = zipped(made, dice.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)))
    return mutated(data, dice) if dice.random() < 0.3 else data


def toml(text: str, dice: random.Random) -> bytes:
    """A document with values, or keys, of other kinds than are meant in it; else with its bytes mutated."""
    lines = text.split("\n")
    if dice.random() < 0.3:
        return mutated(text.encode(), dice)
    for _change in range(dice.choice((1, 1, 2, 4))):
        at = dice.choice([n for n, line in enumerate(lines) if "=" in line or dice.random() < 0.1] or [0])
        key, equals, value = lines[at].partition("=")
        kind = dice.randrange(8)
        if kind == 0:
            lines[at] = ""
        elif kind == 1:
            lines.insert(at, dice.choice(lines))
        elif kind == 2:
            lines[at] = f"{dice.choice(KEYS)} {equals or '='} {value or '1'}"
        elif kind <= 4 and "=" in value:
            # one value within an inline table
            head, _equals, rest = value.partition("=")
            lines[at] = f"{key}={head}= {dice.choice(VALUES)}{rest[rest.find(',') :] if ',' in rest else ' }'}"
        else:
            lines[at] = f"{key or 'x'} = {dice.choice(VALUES)}"
    return "\n".join(lines).encode()


def wide(dice: random.Random) -> bytes:
    text = dice.choice((ROWS, json.dumps(OBJECTS, ensure_ascii=False)))
    if dice.random() < 0.5:
        text = mutated(text.encode(), dice).decode(errors="replace")
    data = text.encode(dice.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32")), "surrogatepass")
    return mutated(data, dice) if dice.random() < 0.7 else data


def rows(dice: random.Random) -> bytes:
    text = ROWS if dice.random() < 0.7 else ROWS.replace(",", "\t")
    return mutated(text.encode("gb18030" if dice.random() < 0.2 else "utf-8"), dice)


def objects(dice: random.Random) -> bytes:
    if dice.random() < 0.5:
        data = "\n".join(json.dumps(one, ensure_ascii=dice.random() < 0.5) for one in OBJECTS * 2)
    else:
        data = json.dumps(OBJECTS, ensure_ascii=dice.random() < 0.5, indent=dice.choice((None, 2)))
    return mutated(data.encode(), dice)


MAKERS = {
    "csv": rows,
    "json": objects,
    "utf16": wide,
    "xlsx": book,
    "map": lambda dice: toml(MAP, dice),
    "config": lambda dice: toml(CONFIG, dice),
}

# -- reading -----------------------------------------------------------------------------------------------------------


def told(error: UsermgmtError) -> str:
    """An error as it is shown, which must not fail either."""
    assert error.exit in REFUSALS, f"exit {error.exit}"
    json.dumps(error.details)
    return f"{error.message} {error.advice}"


USUAL = {"csv": Format.CSV, "json": None, "xlsx": Format.XLSX, "utf16": None}


def read_table(data: bytes, dice: random.Random, suffix: str) -> None:
    names = {"csv": ("x.csv", "x.tsv", "x", "-"), "json": ("x.json", "x.ndjson", "x"), "xlsx": ("x.xlsx", "x")}
    with open_table(
        io.BytesIO(data),
        name=dice.choice(names.get(suffix, ("x.csv", "x.json", "x"))),
        format=dice.choice((None, *Format) if dice.random() < 0.1 else (None, USUAL[suffix])),
        encoding=dice.choice(("utf-16", "gb18030", "utf-16-le", "latin-1")) if dice.random() < 0.1 else None,
        delimiter=dice.choice((",", "tab")) if suffix == "csv" and dice.random() < 0.3 else None,
        limits=dice.choice((None, None, Limits(file=1 << 14, row=256, field=64, rows=3, depth=4))),
    ) as table:  # fmt: skip
        for record in table:
            if isinstance(record, BadRecord):
                told(record.error)


def read_map(data: bytes, dice: random.Random) -> None:
    """Read a map and take a table through it."""
    given = mapfile.read_map(mapfile.decoded(data, "map.toml"), "map.toml", IMPORTER)
    resolver = Resolver("x.csv", IMPORTER, given, ignore_unknown=True)
    headers = sorted({*given.columns, *given.own, *given.shaping.columns})
    resolver.header(headers).toml()
    values = ("", " 男", "1990-05-17", "2026年1月2日", "45000", "No.1/x", "99999999999", "\ud7ff\0")
    for shape in given.shaping.shapes:
        try:
            shape.steps(dice.choice(values))
        except transforms.Refused as error:
            str(error)


def read_config(data: bytes, _dice: random.Random, folder: Path) -> None:
    path = folder / "config.toml"
    path.write_bytes(data)
    path.chmod(0o600)
    env = {"HOME": str(folder), "USERMGMT_CONFIG": str(path)}
    for item in settings.inspect(env, folder, None, 0, system_dir=folder / "none"):
        if isinstance(item, settings.Problem):
            told(item.error())
        elif isinstance(item, ConfigFile):
            item.place("store.url")
    settings.load(env, folder, None, {}, 0, system_dir=folder / "none")


class Fuzz:
    """Gives one reader inputs of a seed and counts what becomes of them."""

    def __init__(self, reader: str, folder: Path) -> None:
        self.reader = reader
        self.folder = folder
        self.counts = {"read": 0, "refused": 0}
        self.slowest = (0.0, -1)
        self.faults: list[str] = []
        # what is imported and compiled once is no input's
        self.take(b"", random.Random(0))
        self.take(MAKERS[reader](random.Random(0)), random.Random(0))

    def take(self, data: bytes, dice: random.Random) -> str:
        """Give the reader one input; any error that is not ours goes through."""
        try:
            if self.reader == "map":
                read_map(data, dice)
            elif self.reader == "config":
                read_config(data, dice, self.folder)
            else:
                read_table(data, dice, self.reader)
        except UsermgmtError as error:
            told(error)
            return "refused"
        return "read"

    def go(self, seed: int, numbers: range) -> None:
        for number in numbers:
            dice = random.Random(f"{self.reader} {seed} {number}")
            data = MAKERS[self.reader](dice)
            began = time.process_time()
            try:
                self.counts[self.take(data, dice)] += 1
            except Exception as error:  # noqa: BLE001 - each is a finding
                self.faults.append(f"seed {seed} input {number}: {type(error).__name__}: {error!s:.200} {data[:200]!r}")
            took = time.process_time() - began
            self.slowest = max(self.slowest, (took, number))
            if took > SLOW:
                self.faults.append(f"seed {seed} input {number}: {took:.2f} s {data[:200]!r}")


def main(reader: str, count: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(reader, Path(folder))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        fuzz.go(seed, range(count))
    print(json.dumps({"counts": fuzz.counts, "slowest": fuzz.slowest, "faults": fuzz.faults[:20]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
