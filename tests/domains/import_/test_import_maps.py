"""`import users --map FILE`: what a map has done to values on their way into fields."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from pathlib import Path

import orjson
import pytest

import usermgmt
from usermgmt.domains.import_ import mapfile, transforms
from usermgmt.domains.import_.errors import BadMap
from usermgmt.domains.user.importing import IMPORTER

pytestmark = pytest.mark.engines("sqlite")


def save(run, name, text):
    path = run.home / name
    path.write_text(text, "utf-8")
    return path


def brought(run, mapping, text, *options, exit=0):  # noqa: A002 - the word of the contract
    """Import CSV through a map; the summary, and each refused line with why."""
    where, report = save(run, "map.toml", mapping), run.home / "report.csv"
    line = ["import", "users", "-", "--json", "--map", str(where), "--report", str(report), *options]
    result = run(line, stdin=text, exit=exit)
    refused = csv.DictReader(io.StringIO(report.read_text("utf-8")))
    return result.json, {int(one["line"]): one["message"] for one in refused}


def user(run, name):
    return run(["user", "show", name, "--json", "--reveal"]).json


def made(entry, value, *, field="occupation"):
    """What one entry of a map makes of one value; a text of why where it refuses."""
    read = mapfile.read_map(f"[columns]\nx = {{ field = '{field}', {entry} }}", "map.toml", IMPORTER)
    try:
        return read.shaping.shapes[0].steps(value)
    except transforms.Refused as error:
        return f"refused: {error}"


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "value", "result"),
    [
        ("trim = true", " a b ", "a b"),
        ("case = 'lower'", "ÄB", "äb"),
        ("case = 'upper'", "ab", "AB"),
        ("strip-prefix = ['工号:', 'No.']", "No.7", "7"),
        ("strip-suffix = '@corp'", "li@corp", "li"),
        ("trim = true, strip-prefix = 'x', case = 'upper'", " xab ", "AB"),
        ("values = { a = 'b' }", " a ", "b"),
        ("values = { a = 'b' }", "c", "refused: it is not in the table of values"),
        ("values = { a = 'b' }, default = 'z'", "c", "z"),
        ("values = { a = 'b' }, default = ''", "c", ""),
        ("values = { a = '2026/1/2' }, dates = ['%Y/%m/%d']", "a", "2026-01-02"),
    ],
)
def test_steps_are_taken_in_order(entry, value, result):
    assert made(entry, value) == result


@pytest.mark.parametrize(
    ("given", "result"), [("先生", "male"), ("女", "female"), ("M", "male"), ("other", "other"), ("?", None)]
)
def test_a_table_of_values_adds_to_the_words_that_the_field_knows(given, result):
    found = made("values = { '先生' = 'male' }", given, field="gender")
    assert found == (result or "refused: it is not in the table of values")


NONE, SEVERAL = "refused: it is in none of the date formats", "refused: it fits several of the date formats"


@pytest.mark.parametrize(
    ("formats", "value", "result"),
    [
        ("['%d/%m/%Y']", "3/4/2026", "2026-04-03"),
        ("['%d/%m/%Y', '%Y年%m月%d日']", "2026年4月3日", "2026-04-03"),
        ("['%d/%m/%Y', '%m/%d/%Y']", "13/4/2026", "2026-04-13"),
        ("['%d/%m/%Y', '%m/%d/%Y']", "4/4/2026", "2026-04-04"),
        ("['%d/%m/%Y', '%m/%d/%Y']", "3/4/2026", SEVERAL),
        ("['%Y%m%d']", "20260403", "2026-04-03"),
        ("['%Y%m%d']", "2026403", NONE),
        ("['%Y-%m-%d']", "2026-02-30", NONE),
        ("['%Y-%m-%d']", "٢٠٢٦-01-01", NONE),
        ("['excel']", "33010", "1990-05-17"),
        ("['excel', '%Y-%m-%d']", "1990-05-17", "1990-05-17"),
        ("['excel']", "0.5", NONE),
        ("['excel']", "60", NONE),
        ("['excel-1904']", "31548", "1990-05-17"),
        ("['iso']", "2026-04-03", "2026-04-03"),
        ("['iso']", "2026-04-03T08:00:00Z", "2026-04-03T08:00:00+00:00"),
        ("['%Y-%m-%d %H:%M']", "2026-04-03 00:00", "2026-04-03"),
        ("['%Y-%m-%d %H:%M:%S']", "2026-04-03 8:05:01", "2026-04-03T08:05:01"),
        ("['%Y-%m-%d %H'], zone = 'Asia/Shanghai'", "2026-04-03 8", "2026-04-03T08:00:00+08:00"),
        ("['%Y-%m-%d %H:%M']", "2026-04-03 24:00", NONE),
        ("['%Y.%m.%d']", "2026x04x03", NONE),
    ],
)
def test_dates_are_read_in_the_formats_that_are_named_and_never_guessed(formats, value, result):
    assert made(f"dates = {formats}", value).startswith(result)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("colour = 1", "there is no key colour here"),
        ("strip_prefix = 'x'", "did you mean strip-prefix?"),
        ("tirm = true", "did you mean trim?"),
        ("trim = 1", "trim is true or false"),
        ("case = 'title'", "case is lower or upper"),
        ("values = 'x'", "values is a table of texts"),
        ("values = { a = 1 }", "values is a table of texts"),
        ("default = 'x'", "values is a table of texts"),
        ("dates = ['%d/%m/%y']", "a year of two digits is never guessed"),
        ("dates = ['%d/%m']", "%Y, %m and %d once each"),
        ("dates = ['%d/%m/%Y %b']", "the date format %b is unknown"),
        ("dates = []", "dates names no format"),
        ("zone = 'UTC'", "dates names no format"),
        ("dates = ['iso'], zone = 'Mars/Base'", "there is no time zone Mars/Base"),
        ("dates = ['iso'], zone = '../../etc/passwd'", "there is no time zone"),
        ("split = ';'", "no list"),
        ("split = ''", "split is not a text"),
        ("strip-prefix = 7", "neither a text nor a list"),
    ],
)
def test_an_entry_with_a_slip_is_refused_with_the_nearest(entry, says):
    with pytest.raises(BadMap) as caught:
        made(entry, "x")
    assert says in f"{caught.value.message} {caught.value.advice}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[colums]", "did you mean columns?"),
        ("columns = 1", "[columns] is not a table"),
        ("[columns]\na = { trim = true }", "says nothing"),
        ("[columns]\na = { field = 'emial' }", "did you mean email?"),
        ("[columns]\na = { field = ['email', 'email'] }", "named twice"),
        ("[columns]\na = { field = 'email' }\nb = { field = 'email' }", "both give email"),
        ("[fields]\nusername = 'a'", "fields.username is not a table"),
        ("[fields]\nusername = { }", "says nothing"),
        ("[fields]\nusername = { template = '{a}', first = ['a'] }", "either template or first"),
        ("[fields]\nusername = { template = 'x' }", "names no column"),
        ("[fields]\nusername = { template = '{a' }", "a text with columns in braces"),
        ("[fields]\nusername = { template = '{a!r}' }", "a text with columns in braces"),
        ("[fields]\nusername = { template = '{a:>9}' }", "a text with columns in braces"),
        ("[fields]\nusername = { template = '{}' }", "a text with columns in braces"),
        ("[fields]\nname = { first = ['a'] }", "there is no field name"),
        ("[skip]\na = 1", "skip.a is neither"),
        ("[constants]\nkind = 1", "the constant kind is not a text"),
        ("[columns]\na = email", "map.toml:2: "),
        ("[columns]\na = " + "[" * 5000, "nested too deeply"),
        ("[columns]\na = " + "9" * 5000, "too many digits"),
        ("[columns]\n" + ".".join("a" * 20_000) + " = 1", "map.toml:2: the line has more than 200 dots"),
    ],
)
def test_a_map_with_a_slip_is_refused_with_the_nearest(text, says):
    with pytest.raises(BadMap) as caught:
        mapfile.read_map(text, "map.toml", IMPORTER)
    assert says in f"{caught.value.message} {caught.value.advice}"


def test_a_line_of_a_map_may_hold_any_number_of_texts_with_dots():
    table = ", ".join(f"'1.{n}' = 'd.{n}'" for n in range(500))
    assert made(f"values = {{ {table} }}", "1.77") == "d.77"


# -- records -----------------------------------------------------------------------------------------------------------

MAP = """
[columns]
"性别" = { field = "gender", values = { "先生" = "male", "女士" = "female" } }
"入职" = { field = "valid_from", dates = ["%Y/%m/%d", "excel"] }
"标签" = { field = "tags", split = "、" }
"姓 名" = { field = ["full_name", "display_name"], split = "/" }
[fields]
username = { template = "{名}.{姓}", case = "lower" }
phone = { first = ["手机", "电话"], strip-prefix = "tel:" }
[skip]
"状态" = ["离职", ""]
"""
HEADER = "名,姓,性别,入职,标签,姓 名,手机,电话,状态\n"


def test_columns_become_fields(run):
    rows = "Wei,Zhang,先生,2020/3/9,甲、乙、,张伟/小张,,tel:13800138000,在职\n"
    rows += "Na,Li,女,43899,,李娜,13900139000,,在职\nX,Y,,,,,,,离职\nX,Y,,,,,,,\n"
    counts, _refused = brought(run, MAP, HEADER + rows)
    assert [counts[name] for name in ("read", "created", "ignored", "rejected")] == [4, 2, 2, 0]
    found = user(run, "wei.zhang")
    assert (found["gender"], found["tags"], found["phone"]) == ("male", ["乙", "甲"], "+8613800138000")
    assert (found["full_name"], found["display_name"]) == ("张伟", "小张")
    other = user(run, "na.li")
    assert other["valid_from"] == found["valid_from"]
    assert (other["gender"], other["phone"], other["display_name"]) == ("female", "+8613900139000", None)
    assert brought(run, MAP, HEADER + rows)[0]["unchanged"] == 2


def test_what_a_step_refuses_refuses_its_record_with_line_column_and_reason(run):
    rows = (
        "A,A,先生,2020/3/9,,,,,x\nB,B,保密,,,,,,x\nC,C,,2020-3-9,,,,,x\nD,,,,,,,,x\nE,E,,,,a/b/c,,,x\nF,F,女士,,,,,,x\n"
    )
    counts, refused = brought(run, MAP, HEADER + rows, exit=7)
    assert (counts["created"], counts["rejected"], counts["read"]) == (2, 4, 6)
    assert refused == {
        3: "性别: it is not in the table of values",
        4: "入职: it is in none of the date formats of its column",
        5: "名, 姓: 姓 is empty, and the template needs it",
        6: "姓 名: it has 3 parts, and there are 2 fields",
    }
    assert run("user list --fields username --no-header").lines == ["a.a", "f.f"]


@pytest.mark.parametrize(("mode", "names"), [("stop", ["a.a"]), ("rollback", [])])
def test_refused_values_count_in_every_mode(run, mode, names):
    rows = "A,A,,,,,,,离职\nA,A,,,,,,,x\nB,B,保密,,,,,,x\nC,C,,,,,,,x\n"
    brought(run, MAP, HEADER + rows, "--on-error", mode, exit=7 if names else 6)
    assert run("user list --fields username --no-header").lines == names


def test_a_rehearsal_shows_what_a_map_makes(run):
    counts, refused = brought(run, MAP, HEADER + "A,A,,,,,,,x\nB,,,,,,,,x\n", "--dry-run", exit=7)
    assert (counts["created"], counts["run"], list(refused)) == (1, None, [3])
    assert run("user list -o count").out == "0\n"


def test_many_records_in_many_pieces(run):
    """Records that are left out, refused and unreadable, in every place of a piece."""
    run("config set import.chunk 7")
    rows, wanted, bad = "", [], set()
    for n in range(100):
        line = n + 2
        kind = n * n % 5
        rows += {0: f"u{n},x,,,,,,,x\n", 1: f"u{n},,,,,,,,x\n", 4: f"u{n},x,,,,,,,离职\n"}.get(kind, "short\n")
        wanted += [f"u{n}.x"] if kind == 0 else []
        bad |= {line} if kind == 1 else set()
    counts, refused = brought(run, MAP, HEADER + rows, exit=7)
    assert run("user list --fields username --no-header").lines == wanted
    assert set(refused) == bad
    assert counts["created"] == len(wanted)
    assert counts["read"] == 100


@pytest.mark.engines("sqlite", "postgresql")
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_json_goes_through_a_map_as_well(run, form):
    mapping = """
    [columns]
    sex = { field = "gender", values = { "1" = "male" } }
    labels = { field = "tags", split = "|" }
    [fields]
    username = { first = ["login", "nick"], case = "lower" }
    [skip]
    gone = ["true", "1"]
    """
    records = [
        {"login": "A", "sex": 1, "labels": "x|y"},
        {"nick": "B", "login": None, "sex": None},
        {"login": "C", "sex": {}},
        {"login": "D", "gone": 1},
        {"login": "E", "labels": ["x"]},
    ]
    lines = list(map(orjson.dumps, records))
    data = b"[" + b",\n".join(lines) + b"]" if form == "json" else b"\n".join(lines)
    counts, refused = brought(run, mapping, data, "--from", form, exit=7)
    assert (counts["created"], counts["ignored"], counts["rejected"]) == (2, 1, 2)
    assert set(refused.values()) == {"sex: it is not a text", "labels: it is not a text"}
    assert (user(run, "a")["tags"], user(run, "a")["gender"], user(run, "b")["gender"]) == (["x", "y"], "male", None)


def test_empty_cells_clear_or_keep_and_a_table_can_name_them(run):
    run("user add a.a --gender male --occupation old")
    mapping = MAP + '[columns."职业"]\nfield = "occupation"\nvalues = { "" = "none", "教师" = "teacher" }\n'
    header = HEADER.replace("状态", "状态,职业")
    assert brought(run, mapping, header + "A,A,,,,,,,x,\n", "--if-exists", "update")[0]["updated"] == 1
    assert (user(run, "a.a")["gender"], user(run, "a.a")["occupation"]) == ("male", "none")
    brought(run, mapping, header + "A,A,,,,,,,x,教师\n", "--if-exists", "update", "--empty", "clears")
    assert (user(run, "a.a")["gender"], user(run, "a.a")["occupation"]) == (None, "teacher")


@pytest.mark.parametrize(
    ("mapping", "header", "says"),
    [
        ('[fields]\nusername = { first = ["a", "b"] }', "a", "has no column b"),
        ('[skip]\nb = "x"', "username", "has no column b"),
        ('[columns]\na = { field = "email" }', "a,email,username", "both give email"),
        ('[fields]\nemail = { first = ["a"] }', "a,email,username", "both give email"),
        ('[fields]\nemail = { first = ["a"] }\n[constants]\nemail = "x"', "a,username", "both give email"),
    ],
)
def test_a_map_that_does_not_fit_its_file_is_refused(run, mapping, header, says):
    where = save(run, "map.toml", mapping)
    assert says in run(f"import users - --map {where}", stdin=f"{header}\n", exit=6).err


def test_a_column_of_a_template_stays_the_field_that_it_is(run):
    brought(run, '[fields]\nusername = { template = "{email}", strip-suffix = "@x.cn" }', "email\nli@x.cn\n")
    assert user(run, "li")["email"] == "li@x.cn"
    brought(run, '[fields]\nusername = { template = "u-{username}" }', "username\n7\n")
    assert user(run, "u-7")["username"] == "u-7"


# -- the page ----------------------------------------------------------------------------------------------------------


def blocks(page):
    """The indented blocks of a page, each with the line of text before it."""
    found = re.findall(r"^(\S[^\n]*)\n\n((?:    [^\n]*\n|\n)+)", page, re.MULTILINE)
    return [(before, "\n".join(line[4:] for line in block.strip("\n").split("\n")) + "\n") for before, block in found]


def test_the_example_of_the_page_does_what_the_page_says(run):
    # what a terminal shows of both streams, less the run's number
    page = (Path(usermgmt.__file__).parent / "docs" / "formats.md").read_text("utf-8")
    example = page[page.index("### An export of a Chinese company") : page.index("## Attributes of your own")]
    (_1, table), (_2, mapping), (_3, session) = blocks(example)
    save(run, "hr.csv", table)
    save(run, "hr.toml", mapping)
    assert set(tomllib.loads(mapping)) == {"columns", "fields", "constants", "skip"}
    answers = 0
    for part in re.split(r"^\$ usermgmt ", session, flags=re.MULTILINE)[1:]:
        line, _end, answer = part.partition("\n")
        result = run(line, exit=None)
        said = re.sub(r"^run .*\n", "", result.err, flags=re.MULTILINE) + result.out
        assert said == answer, line
        answers += 1
    assert answers == 4
