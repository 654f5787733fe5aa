"""The files of `import users`: formats, encodings, headers, maps, limits, reports."""

from __future__ import annotations

import codecs
import csv
import io
import os
import tomllib

import orjson
import pytest
import xlsxwriter

ROWS = [("alice", "a@example.com", "张伟"), ("bob", "b@example.com", "李娜")]
HEADER = ("username", "email", "full_name")


def table(delimiter=",", end="\n"):
    """The rows as delimited text."""
    return end.join(delimiter.join(row) for row in (HEADER, *ROWS)) + end


def save(run, name, data):
    """Write a file beside the store."""
    path = run.home / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def both_are_there(run):
    """Whether the rows are in the store, as they were meant."""
    found = run("user list --json --reveal").json
    return [(one["username"], one["email"], one["full_name"]) for one in found] == ROWS


OBJECTS = [dict(zip(HEADER, row, strict=True)) for row in ROWS]


def workbook(rows, sheet="Sheet1", **formats):
    """A workbook of one sheet, by another program; ``formats`` are those of numbers, by column."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet(sheet)
        for line, row in enumerate(rows):
            for column, value in enumerate(row):
                look = book.add_format({"num_format": formats.get(f"c{column}", "General")})
                page.write(line, column, value, look, *["#DIV/0!"] * str(value).startswith("="))
    return out.getvalue()


FILES = {
    "utf16le.csv": codecs.BOM_UTF16_LE + table(end="\r\n").encode("utf-16-le"),
    "utf16be.tsv": codecs.BOM_UTF16_BE + table("\t").encode("utf-16-be"),
    "utf16.json": codecs.BOM_UTF16_LE + orjson.dumps(OBJECTS).decode().encode("utf-16-le"),
    "book.xlsx": workbook([HEADER, *ROWS]),
    "book.csv": workbook([HEADER, *ROWS]),
    "plain.csv": table(),
    "crlf.csv": table(end="\r\n"),
    "bom.csv": codecs.BOM_UTF8 + table().encode(),
    "semicolons.csv": table(";"),
    "tabs.csv": table("\t"),
    "tabs.tsv": table("\t"),
    "gb18030.csv": table().encode("gb18030"),
    "array.json": orjson.dumps(OBJECTS),
    "pretty.json": orjson.dumps(OBJECTS, option=orjson.OPT_INDENT_2),
    "lines.ndjson": b"\n".join(map(orjson.dumps, OBJECTS)),
    "lines.jsonl": b"\n\n".join(map(orjson.dumps, OBJECTS)) + b"\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_it_shows_itself(run, name):
    run(f"import users {save(run, name, FILES[name])}")
    assert both_are_there(run)


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("options", "data"),
    [
        ("", table()),
        ("--from ndjson", FILES["lines.ndjson"]),
        ("--from json", FILES["array.json"]),
        ("--from tsv", table("\t")),
        ("--encoding gb18030", table().encode("gb18030")),
        ("--encoding big5", "username,email,full_name\nalice,a@example.com,張偉\n".encode("big5")),
        ("--delimiter tab", table("\t")),
        ("--encoding utf-16be", table().encode("utf-16-be")),
        ("--encoding utf-16", codecs.BOM_UTF16_LE + table().encode("utf-16-le")),
        ("--from xlsx --sheet Sheet1", FILES["book.xlsx"]),
    ],
)
def test_standard_input_is_a_file_too(run, options, data):
    run(f"import users - {options}", stdin=data)
    assert run("user list -o count").out in ("1\n", "2\n")
    assert run("user show alice --json --reveal").json["full_name"] in ("张伟", "張偉")


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("options", "data", "code", "exit_code"),
    [
        ("", "", "file.empty", 6),
        ("", "username,username\na,b\n", "file.malformed", 6),
        ("", b"PK\x03\x04rest", "file.malformed", 6),
        ("", b"username\nal\xffice\n\xc3\x28", "file.malformed", 6),
        ("--encoding klingon", table(), "encoding.unknown", 2),
        ("--delimiter x", table(), "delimiter.unknown", 2),
        ("--from json", "[", "file.malformed", 6),
        ("--from xml", table(), "usage.value", 2),
        ("--encoding utf-16", table().encode("utf-16-le"), "file.malformed", 6),
        ("--encoding utf-16be", codecs.BOM_UTF16_LE + table().encode("utf-16-le"), "file.malformed", 6),
        ("--encoding utf-16le", b"u\0s", "file.malformed", 6),
        ("--from xlsx", table(), "file.malformed", 6),
        ("--from xlsx --encoding utf-8", FILES["book.xlsx"], "usage", 2),
        ("--sheet S1", table(), "usage", 2),
        ("--sheet Users", FILES["book.xlsx"], "sheet.not_found", 3),
        ("", "colour\nred\n", "import.column", 6),
        ("", "roles\nadmin\n", "import.column", 6),
        ("", "mail,email\na@b.cn,b@b.cn\n", "import.column", 6),
    ],
)
def test_what_is_no_table_of_users_is_refused_whole(run, options, data, code, exit_code):
    result = run(f"import users - --json {options}", stdin=data, exit=exit_code)
    assert (result.error["code"], result.out) == (code, "")


def test_a_missing_file_is_not_found(run):
    run("import users nowhere.csv", exit=3)
    run(f"import users {run.home}", exit=8)


@pytest.mark.engines("sqlite")
def test_a_workbook_of_a_spreadsheet_is_read_as_it_looks(run):
    rows = [
        ("用户名", "姓名", "出生日期", "外部编号", "手机"),
        ("zhangwei", "张伟", 33010, "hr/110101199003071234", 13800138000),
        ("", "", "", "", ""),
        ("lina", "李娜", "1992-02-03", "hr/0012", ""),
        ("wangfang", "王芳", "", "=1/0", ""),
    ]
    path = save(run, "人员.xlsx", workbook(rows, sheet="人员", c2="yyyy/m/d"))
    report = run.home / "refused.csv"
    result = run(f"import users {path} --report {report} --json", exit=7)
    assert (result.json["created"], result.json["rejected"], result.json["read"]) == (2, 1, 3)
    refused = list(csv.DictReader(io.StringIO(report.read_text("utf-8"))))
    assert [(one["用户名"], one["line"]) for one in refused] == [("wangfang", "5")]
    assert "D5" in refused[0]["message"]
    found = run("user show zhangwei --json --reveal").json
    assert (found["birth_date"], found["phone"]) == ("1990-05-17", "+8613800138000")
    assert run("user show ext:hr/110101199003071234 --json").json["username"] == "zhangwei"
    assert run("user show ext:hr/0012 --json").json["username"] == "lina"


# -- headers and maps --------------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_headers_of_other_systems_are_guessed_and_told(run):
    text = "用户名,邮箱,手机号,姓名,性别,出生日期,职业,昵称,密码\n"
    text += "alice,a@example.com,13800138000,张伟,女,1990-01-01,教师,小张,x\n"
    result = run(f"import users {save(run, 'zh.csv', text)}")
    assert "ignored columns: 密码\n" in result.err
    found = run("user show alice --json --reveal").json
    assert (found["phone"], found["gender"], found["display_name"]) == ("+8613800138000", "female", "小张")
    printed = result.err.partition("pass them with --map:\n")[2]
    assert tomllib.loads(printed)["columns"]["手机号"] == "phone"
    # what was printed is a map
    again = run(f"import users {run.home / 'zh.csv'} --json --map {save(run, 'map.toml', printed)}")
    assert again.json["unchanged"] == 1
    assert "guessed" not in again.err
    assert "密码" in again.err


@pytest.mark.engines("sqlite")
def test_headers_are_known_in_any_case_and_with_blanks(run):
    result = run("import users - --json", stdin="UserName , E-Mail,Display Name\nalice,a@example.com,Ally\n")
    assert result.json["created"] == 1
    assert run("user show alice --json --reveal").json["display_name"] == "Ally"


@pytest.mark.engines("sqlite")
def test_unknown_headers_are_refused_with_the_nearest_or_ignored(run):
    text = "username,emial,shoe size\nalice,a@example.com,42\n"
    refused = run("import users - --json", stdin=text, exit=6).error
    assert refused["code"] == "import.column"
    assert "emial, shoe size" in refused["message"]
    assert "did you mean email?" in refused["hint"]
    result = run("import users - --ignore-unknown", stdin=text)
    assert "ignored columns: emial, shoe size" in result.err


@pytest.mark.engines("sqlite")
def test_a_map_names_columns_constants_and_ids_of_systems(run):
    mapping = """
        [columns]
        "Login" = ["username", "display_name"]
        "Personalnummer" = "external_ids.hr"
        "Badge" = "external_ids.door"
        "Notes" = ""

        [constants]
        kind = "service"
        tags = "imported;2026"
    """
    text = "Login;Personalnummer;Badge;Notes\nalice;4711;;x\nbob;4712;99;y\n"
    where = save(run, "map.toml", mapping)
    run(f"import users - --map {where}", stdin=text)
    found = run("user list --json").json
    assert [(one["display_name"], one["kind"], one["tags"], one["external_ids"]) for one in found] == [
        ("alice", "service", ["2026", "imported"], {"hr": "4711"}),
        ("bob", "service", ["2026", "imported"], {"door": "99", "hr": "4712"}),
    ]
    # the id finds the user again, whatever the name
    again = run(f"import users - --json --map {where} --if-exists skip", stdin=text.replace("alice", "alicia"))
    assert (again.json["skipped"], again.json["unchanged"]) == (1, 1)


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("nonsense", "map.toml"),
        ('[columns]\n"a" = "emial"', "there is no field emial"),
        ("[constants]\nshoes = 'x'", "there is no field shoes"),
        ("[constants]\nkind = 3", "not a text"),
        ("[other]\nx = 1", "there is no table [other]"),
        ('[columns]\n"b" = "username"', "no column b"),
        ('[columns]\n"a" = "username"\n[constants]\nusername = "x"', "both give username"),
        ('[columns]\n"a" = "email.work"', "there is no field email.work"),
    ],
)
def test_a_bad_map_is_refused(run, mapping, said):
    where = save(run, "map.toml", mapping)
    result = run(f"import users - --json --map {where}", stdin="a\nalice\n", exit=6)
    assert said in result.error["message"]
    assert run("user list -o count").out == "0\n"


@pytest.mark.engines("sqlite")
def test_with_a_map_nothing_is_guessed(run):
    where = save(run, "map.toml", '[columns]\n"a" = "username"\n')
    refused = run(f"import users - --json --map {where}", stdin="a,mail\nalice,a@example.com\n", exit=6)
    assert "mail" in refused.error["message"]


# -- JSON --------------------------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_json_has_numbers_lists_objects_and_null(run):
    record = {
        "username": "alice",
        "phone": 13800138000,
        "email": None,
        "tags": ["vip", "beta"],
        "external_ids": {"hr": "1"},
        "addresses": ["email:b@example.com"],
        "id": 4,
        "active": True,
    }
    run("import users - --from ndjson", stdin=orjson.dumps(record))
    found = run("user show alice --json --reveal").json
    assert (found["phone"], found["tags"], found["external_ids"]) == ("+8613800138000", ["beta", "vip"], {"hr": "1"})
    cleared = {"username": "alice", "phone": None, "tags": []}
    run("import users - --from ndjson --if-exists update", stdin=orjson.dumps(cleared))
    assert run("user show alice --json --reveal").json["phone"] == "+8613800138000"
    run("import users - --from ndjson --if-exists update --empty clears", stdin=orjson.dumps(cleared))
    found = run("user show alice --json --reveal").json
    assert (found["phone"], found["tags"], found["external_ids"]) == (None, [], {"hr": "1"})


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    "fields",
    [
        {"email": ["a@example.com"]},
        {"full_name": True},
        {"full_name": 1.5},
        {"tags": {"a": "b"}},
        {"tags": [1]},
        {"external_ids": "{broken"},
        {"external_ids": ["hr"]},
        {"former_names": "alice"},
        {"former_names": {"x": 1}},
        {"shoes": 42},
    ],
)
def test_a_value_of_the_wrong_kind_refuses_its_record(run, fields):
    lines = [orjson.dumps({"username": "alice"}), orjson.dumps({"username": "bob", **fields})]
    result = run("import users - --from ndjson --json", stdin=b"\n".join(lines), exit=7)
    assert (result.json["created"], result.json["rejected"], result.error["details"]["line"]) == (1, 1, 2)


@pytest.mark.engines("sqlite")
def test_a_key_that_nobody_knows_refuses_the_file_where_the_first_record_has_it(run):
    lines = b'{"username":"alice","emial":"x"}\n{"username":"bob"}'
    assert "did you mean email" in run("import users - --from ndjson --json", stdin=lines, exit=6).error["hint"]
    assert run("import users - --from ndjson --json --ignore-unknown", stdin=lines).json["created"] == 2


# -- broken files and limits -------------------------------------------------------------------------------------------


def test_what_stands_before_a_broken_place_is_taken_and_the_place_is_told(run):
    text = 'username,full_name\nalice,A\nbob,"never closed\n'
    result = run("import users - --json", stdin=text, exit=7)
    assert (result.json["created"], result.json["rejected"], result.json["read"]) == (1, 1, 2)
    assert result.error["details"]["line"] == 3
    run("import users - --json --on-error rollback", stdin=text.replace("alice", "carol"), exit=6)
    run("user exists carol", exit=3)


@pytest.mark.engines("sqlite")
def test_malformed_rows_are_refused_one_by_one(run):
    report = run.home / "report.csv"
    text = 'username,full_name\nalice\nbob,B,C\ncarol,"x"y\ndave,D\n'
    result = run(f"import users - --json --report {report}", stdin=text, exit=7)
    assert (result.json["created"], result.json["rejected"]) == (1, 3)
    rows = list(csv.DictReader(io.StringIO(report.read_text())))
    assert [(row["line"], row["username"], row["code"]) for row in rows] == [
        ("2", "alice", "record.malformed"),
        ("3", "bob", "record.malformed"),
        ("4", "", "record.malformed"),
    ]


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("setting", "value", "result"),
    [
        ("MAX_FILE", "20", (6, "file.too_large")),
        ("MAX_ROW", "16", (6, "file.malformed")),
        ("MAX_ROWS", "1", (7, "file.too_large")),
        ("MAX_FIELD", "3", (6, "record.malformed")),
    ],
)
def test_limits_come_from_the_configuration(run, setting, value, result):
    told = run("import users - --json", stdin=table(), env={f"USERMGMT_IMPORT_{setting}": value}, exit=result[0])
    assert told.error["code"] == result[1]


# -- the report --------------------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_the_report_holds_the_input_and_the_reason_and_is_guarded(run):
    report = run.home / "report.csv"
    text = 'username,full_name,email,roles\nalice,=cmd(),nonsense,"a,b"\nbob,B,b@example.com,x\n'
    run(f"import users - --report {report}", stdin=text, exit=7)
    assert report.stat().st_mode & 0o777 == 0o600
    assert report.read_text().startswith("username,full_name,email,roles,line,outcome,code,message\nalice,'=cmd(),")
    (row,) = csv.DictReader(io.StringIO(report.read_text()))
    assert (row["roles"], row["line"], row["outcome"], row["code"]) == ("a,b", "2", "rejected", "email.invalid")
    # mended, it is imported as it stands
    mended = report.read_text().replace("nonsense", "a@example.com").replace("'=cmd()", "Alice")
    again = run(f"import users {save(run, 'mended.csv', mended)} --json --report {report}")
    assert again.json["created"] == 1
    assert report.read_text() == "username,full_name,email,roles,line,outcome,code,message\n"


@pytest.mark.engines("sqlite")
def test_the_report_of_json_has_the_keys_that_were_seen(run):
    report = run.home / "report.csv"
    lines = [{"username": "-a", "tags": ["x", "y"]}, {"username": "-b", "phone": 1 << 70}, {"username": "c\ud800"}]
    data = "\n".join(__import__("json").dumps(line) for line in lines)
    run(f"import users - --from ndjson --report {report}", stdin=data, exit=6)
    rows = list(csv.DictReader(io.StringIO(report.read_text())))
    assert [row["username"] for row in rows] == ["'-a", "'-b", ""]
    assert (rows[0]["tags"], rows[1]["phone"]) == ('["x","y"]', str(1 << 70))


@pytest.mark.engines("sqlite")
def test_a_report_never_harms_another_file(run):
    source = save(run, "u.csv", table())
    assert run(f"import users {source} --report {source} --json", exit=2).error["code"] == "import.report"
    run(f"import users {source} --report {run.home}", exit=5)
    run(f"import users {source} --report {run.home}/no/where.csv", exit=3)
    link = run.home / "link.csv"
    link.symlink_to(save(run, "other.csv", "x"))
    run(f"import users {source} --report {link}", exit=5)
    assert run("user list -o count").out == "0\n"
    assert source.read_text() == table()


@pytest.mark.engines("sqlite")
def test_with_a_report_standard_error_names_the_first_ones_only(run):
    text = "username\n" + "".join(f"-{n}\n" for n in range(50))
    result = run(f"import users - --report {run.home / 'r.csv'}", stdin=text, exit=6)
    assert result.err.count("error: ") == 10
    assert "40 more" in result.err
    assert run("import users -", stdin=text, exit=6).err.count("error: ") == 50


@pytest.mark.engines("sqlite")
def test_a_pipe_is_imported_without_being_kept(run, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if not os.fork():
        pipe.write_bytes(table().encode())
        os._exit(0)
    run(f"import users {pipe} --from csv --encoding utf-8")
    os.wait()
    assert both_are_there(run)
