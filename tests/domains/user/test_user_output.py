"""What the user commands answer, in every format: the same facts, masked alike, nothing to stumble over."""

from __future__ import annotations

import csv
import io
import json

import orjson
import pytest

FORMATS = ("table", "tsv", "csv", "json", "ndjson", "yaml", "ids", "count")
PERSONAL = ["alice@example.com", "13800138000", "Alice Smith", "1990-05-17", "al@x.com"]
READS = ["show alice", "list", "history alice"]
WRITES = [
    "add dave",
    "ensure alice --occupation nurse",
    "set alice --occupation nurse",
    "rename alice ally",
    "suspend alice",
    "activate alice",
    "close alice --yes",
    "reopen zoe",
    "remove alice --yes",
    "tag alice --add-tag x",
    "note alice --text hello",
]
BULK = [
    "set alice bob --occupation nurse",
    "suspend alice bob nobody",
    "close --tag vip --yes",
    "tag alice bob --add-tag x",
]


@pytest.fixture
def people(run):
    run(
        "user add alice --email alice@example.com --phone 13800138000 --full-name 'Alice Smith' --birth-date 1990-05-17"
        " --add-tag vip --external-id ldap/4711 --add-address email:al@x.com --display-name Ally"
    )
    run("user add bob")
    run("user add zoe")
    run("user close zoe --yes")
    return run


def yaml_as_json(text):
    """Read the YAML that we write, and nothing else: block style, quoted strings, two blanks a step."""

    def block(lines, indent):
        if lines and lines[0][indent:].startswith("- "):
            items = []
            while lines and lines[0].startswith(" " * indent + "- "):
                lines[0] = lines[0].replace("- ", "  ", 1)
                items.append(value(lines, indent + 2))
            return items
        found = {}
        while lines and lines[0].startswith(" " * indent) and lines[0][indent] not in " -":
            name, _colon, rest = lines[0][indent:].partition(":")
            if rest:
                lines.pop(0)
                found[name.strip('"')] = json.loads(rest)
            else:
                lines.pop(0)
                deeper = indent if lines[0][indent:].startswith("- ") else indent + 2
                found[name.strip('"')] = block(lines, deeper)
        return found

    def value(lines, indent):
        text = lines[0][indent:]
        if text[0] in '"[{' or text in ("null", "true", "false") or text[0].isdigit():
            return json.loads(lines.pop(0)[indent:])
        return block(lines, indent)

    lines = text.splitlines()
    if lines in (["[]"], ["{}"]):
        return json.loads(text)
    found = block(lines, 0)
    assert lines == []
    return found


# -- every command in every format -------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", READS)
def test_reads_say_the_same_in_every_format(people, line):
    told = people(f"user {line} --json").json
    objects = told if isinstance(told, list) else [told]
    # entries say in a field of their own what is masked
    names = [name for name in objects[0] if name != "masked" or "history" in line]
    assert orjson.loads(b"[" + b",".join(people(f"user {line} -o ndjson").data.splitlines()) + b"]") == objects
    assert yaml_as_json(people(f"user {line} -o yaml").out) == told
    assert people(f"user {line} -o count").out == f"{len(objects)}\n"
    key = "seq" if "history" in line else "id"
    ids = [str(one[key]) if key == "seq" else f"id:{one[key]}" for one in objects]
    assert people(f"user {line} -o ids").lines == ids
    rows = list(csv.reader(io.StringIO(people(f"user {line} -o csv").out)))
    assert rows[0] == names
    assert [row[0] for row in rows[1:]] == [str(one[names[0]]) for one in objects]
    assert {len(row) for row in rows} == {len(names)}
    tsv = people(f"user {line} -o tsv").lines
    if isinstance(told, list):
        assert [len(row.split("\t")) for row in tsv] == [len(names)] * (len(objects) + 1)
        assert tsv[0].split("\t") == names
        assert people(f"user {line} -o tsv --no-header").lines == tsv[1:]
    else:
        assert [row.split("\t")[0] for row in tsv] == names
    assert people(f"user {line}").lines == tsv
    table = people(f"user {line} -o table", stdout_tty=True, env={"NO_COLOR": "1"})
    assert table.out == people(f"user {line}", stdout_tty=True, env={"NO_COLOR": "1"}).out
    assert all(line.strip() for line in table.lines)


@pytest.mark.parametrize("line", [f"{line} -n" for line in WRITES])
def test_writes_say_the_same_in_every_format(people, line):
    told = people(f"user {line} --json").json
    assert orjson.loads(people(f"user {line} -o ndjson").data).keys() == told.keys()
    assert yaml_as_json(people(f"user {line} -o yaml").out).keys() == told.keys()
    assert people(f"user {line} -o count").out == "1\n"
    assert people(f"user {line} -o ids").out == ("" if told["id"] is None else f"id:{told['id']}\n")
    tsv = dict(row.split("\t") for row in people(f"user {line} -o tsv").lines)
    header, row = csv.reader(io.StringIO(people(f"user {line} -o csv").out))
    assert list(tsv) == header
    assert (tsv["outcome"], row[0], tsv["dry_run"]) == (told["outcome"], told["outcome"], "true")
    assert set(told) - {"masked"} <= set(header) == set(tsv)
    table = people(f"user {line} -o table").out
    assert table.startswith("Outcome ")
    assert "Username" in table
    words = people(f"user {line}").out
    assert words.startswith("user ")
    assert words.count("\n") == 1
    assert people(f"user {line} -q").out == ""


@pytest.mark.parametrize("line", [f"{line} -n" for line in BULK])
def test_bulk_writes_say_the_same_in_every_format(people, line):
    code = 7 if "nobody" in line else 0
    if "--tag vip" in line:
        people("user tag bob --add-tag vip")
    told = people(f"user {line} --json", exit=code).json
    assert len(told) == (3 if code else 2)
    assert people(f"user {line} --json", exit=code).err == ""
    assert len(people(f"user {line} -o ndjson", exit=code).lines) == len(told)
    assert [one["outcome"] for one in yaml_as_json(people(f"user {line} -o yaml", exit=code).out)] == [
        one["outcome"] for one in told
    ]
    assert people(f"user {line} -o count", exit=code).out == f"{len(told)}\n"
    assert people(f"user {line} -o ids", exit=code).lines == ["id:1", "id:2"]
    rows = list(csv.DictReader(io.StringIO(people(f"user {line} -o csv", exit=code).out)))
    assert [row["outcome"] for row in rows] == [one["outcome"] for one in told]
    header, *rest = (row.split("\t") for row in people(f"user {line} -o tsv", exit=code).lines)
    assert [row[0] for row in rest] == [one["outcome"] for one in told]
    assert (header[0], header[1], header[-2:]) == ("outcome", "dry_run", ["name", "error"])
    if code:
        assert (rows[2]["name"], rows[2]["error"]) == ("nobody", "user.not_found")
        assert "error: There is no user nobody." in people(f"user {line} -o csv", exit=code).err
    table = people(f"user {line} -o table", exit=code).lines
    assert len(table) == len(told) + 1
    assert ("Error" in table[0]) is bool(code)


def test_cells_of_a_write_have_the_same_columns_whatever_came_of_it(people):
    for form in ("csv", "tsv"):
        heads = set()
        for line in ("suspend alice", "suspend alice", "add dave", "remove dave --yes"):
            answer = people(f"user {line} -o {form}").lines
            heads.add(answer[0] if form == "csv" else tuple(row.split("\t")[0] for row in answer))
        assert len(heads) == 1
        people("user activate alice")


def test_json_twice_asked_for_and_formats_that_contradict(run):
    assert run("user list --json -o json").out == "[]\n"
    assert run("user list -o JSON").out == "[]\n"
    for line in ("--json -o csv", "-o csv --jq .", "-o xml", "-o"):
        assert run(f"user list {line}", exit=2).out == ""


def test_times_are_local_in_tables_and_utc_elsewhere(people):
    zone = {"USERMGMT_TIME_ZONE": "Asia/Shanghai"}
    made = people("user show alice --json", env=zone).json["created_at"]
    assert made.endswith("Z")
    assert made in people("user show alice -o tsv", env=zone).out
    table = people("user show alice -o table", env=zone).out
    assert made not in table
    assert "+08:00" in table
    assert made in people("user show alice -o table --utc", env=zone).out


def test_a_table_says_values_in_words(people):
    people("user set bob --kind service --gender other")
    shown = people("user show bob -o table").out
    assert "service account" in shown
    assert "Active" in shown
    assert "yes" in shown
    people("user note alice --text -", stdin="first\nsecond")
    notes = people("user show alice -o table").lines[-2:]
    assert notes[0].endswith(": first")
    assert notes[1].strip() == "second"
    people("user set alice --occupation nurse --display-name ''")
    last = people("user history alice -o table").lines[-1]
    assert "display_name: Ally -> -; occupation: nurse" in last
    assert "None" not in people("user history alice -o table").out


def test_a_table_is_bold_where_colour_is_wanted(people):
    assert people("user list -o table --color always").out.startswith("\x1b[1mId")
    assert "\x1b" in people("user list", stdout_tty=True).out
    for env, options in (({"NO_COLOR": "1"}, ""), ({}, "--color never"), ({"TERM": "dumb"}, "")):
        assert "\x1b" not in people(f"user list {options}", stdout_tty=True, env=env).out
    assert "\x1b" not in people("user list -o csv --color always").out


# -- fields and jq -----------------------------------------------------------------------------------------------------


def test_fields_choose_columns_in_their_order(people):
    assert people("user list --fields username,id -o tsv").lines[:2] == ["username\tid", "alice\t1"]
    assert people("user list --fields status --json --jq '.[0]'").out == '{"status":"active"}\n'
    assert list(people("user show alice --fields tags,username --json").json) == ["tags", "username"]
    assert people("user show alice --fields former_names,notes -o tsv").out == "former_names\t\nnotes\t\n"
    assert people("user history alice --fields action -o csv").out == "action\nuser.add\n"
    assert people("user list --fields ' id , username ' -o csv").lines[0] == "id,username"
    assert people("user list --fields email --json").json[0] == {"email": "a***@example.com", "masked": ["email"]}
    assert people("user list --fields username --json --jq '.[0]|keys'").out == '["username"]\n'


def test_fields_choose_what_a_write_answers(people):
    assert people("user set bob --gender male --fields outcome,version --json").json == {
        "outcome": "updated",
        "version": 2,
    }
    assert people("user set bob --gender male --fields outcome -o tsv").out == "outcome\tunchanged\n"
    assert people("user set bob --gender female --fields outcome,changes").out.startswith(
        "outcome\tupdated\nchanges\t{"
    )
    both = people("user suspend alice bob --fields id,outcome --json").json
    assert both == [{"id": 1, "outcome": "updated"}, {"id": 2, "outcome": "updated"}]
    assert people("user activate alice bob --fields id,outcome -o csv").lines == [
        "id,outcome,name,error",
        "1,updated,,",
        "2,updated,,",
    ]
    masked = people("user set alice --gender female --fields email,phone --json").json
    assert masked == {"email": "a***@example.com", "phone": "+86138****8000", "masked": ["email", "phone"]}


NO_FIELDS = [
    ("list --fields usrname", "did you mean username?"),
    ("list --fields id,password", "fields: id, uid"),
    ("list --fields notes", "fields: "),
    ("list --fields outcome", ""),
    ("set alice --gender male --fields outcom", "did you mean outcome?"),
    ("show alice --fields ID", "id"),
    ("list --fields '{x}'", ""),
    ("list --fields '\x1b[31m'", "fields: "),
]


def test_a_field_that_is_not_there_is_refused_with_the_nearest(people):
    for line, hint in NO_FIELDS:
        answer = people(f"user {line} --json", exit=2)
        assert answer.error["code"] == "usage"
        assert hint in answer.error["hint"]
    assert people("user show alice --json").json["version"] == 1


FILTERED = [
    ("history alice --jq '.[].action'", "user.add\n"),
    ("list --jq length", "3\n"),
    ("list --jq '.[].username'", "alice\nbob\nzoe\n"),
    ("list --jq ' .[] | select(.status==\"closed\") | .id'", "3\n"),
    ("list --jq '.[] | .tags'", '["vip"]\n[]\n[]\n'),
    ("list --jq '[.[].id] | add'", "6\n"),
    ("list --jq 'map(.id)'", "[1,2,3]\n"),
    ("list --jq '.[0].email'", "a***@example.com\n"),
    ("list -o ndjson --jq '.[0].id'", "1\n"),
    ("show alice --jq .external_ids.ldap", "4711\n"),
    ("show alice --jq '.age == null, .tags[0]'", "false\nvip\n"),
    ("show alice --jq '[.display_name, 1] | @tsv'", "Ally\t1\n"),
    ("show alice --jq '\"\\u001b[31m\"'", "\\u{1b}[31m\n"),
    ("show alice --jq '\"a\\nb\\tc\"'", "a\nb\tc\n"),
    ("show alice --jq empty", ""),
    ("show alice --jq 18446744073709551616", "18446744073709551616\n"),
    ("set alice --gender male --jq .outcome", "updated\n"),
    ("suspend alice bob --jq '.[].outcome'", "updated\nupdated\n"),
    ("list --fields id --jq '.[0]'", '{"id":1}\n'),
]


def test_jq(people):
    for line, out in FILTERED:
        assert people(f"user {line}").out == out, line


NO_PROGRAMS = [
    ".[",
    "nosuch",
    '"',
    ".[] | error",
    'error("")',
    'error("\n")',
    "1/0",
    "input",
    'import "a" as a; .',
    'include "a" {search: "/etc"}; .',
    '# x\n import "secret" as $x {search:"/"}; $x',
    "module {}; .",
    "\udcff",
    ". as [$a] | \x1b",
]


def test_a_bad_jq_program_is_a_usage_error(people):
    for program in NO_PROGRAMS:
        answer = people(["user", "show", "alice", "--jq", program], exit=2)
        assert (answer.out, answer.err[:13]) == ("", "error: --jq: "), program
        assert "\x1b" not in answer.err
        answer = people(["user", "list", "--json", "--jq", program], exit=2)
        assert (answer.out, answer.error["code"]) == ("", "usage.jq"), program


def test_a_comment_or_nothing_at_all_is_no_filter(people):
    assert people(["user", "show", "alice", "--jq", "#" * 4000 + "!\n.id"]).out == "1\n"
    assert people(["user", "show", "alice", "--jq", "", "-o", "ids"]).out == "id:1\n"


def test_a_filter_reads_no_files(people, tmp_path):
    (tmp_path / "secret.json").write_text('"SECRET"')
    for program in (
        f'import "secret" as $x {{search:"{tmp_path}"}}; $x',
        f'\n\timport "secret" as $x {{search:"{tmp_path}"}}; $x',
        f'# c\r\nimport "secret" as $x {{search:"{tmp_path}"}}; $x',
    ):
        assert "SECRET" not in people(["user", "list", "--jq", program], exit=2).out
    assert people("user show alice --jq '.import'").out == "null\n"


# -- masks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_of_any_command_shows_personal_data(people, form):
    lines = [*READS, *(f"{line} -n" for line in (*WRITES, *BULK))]
    for line in lines:
        answer = people(f"user {line} -o {form}", exit=None)
        for value in PERSONAL:
            assert value not in answer.out + answer.err, line
    assert people(f"user list -o {form} --fields email,phone,full_name,birth_date,addresses").out


def test_what_is_masked_is_named(people):
    shown = people("user show alice --json").json
    assert shown["masked"] == ["full_name", "email", "phone", "birth_date", "addresses"]
    assert [shown[name] for name in shown["masked"]] == [
        "A* S*",
        "a***@example.com",
        "+86138****8000",
        "1990-**-**",
        ["email:a***@x.com"],
    ]
    assert "masked" not in people("user show bob --json").json
    assert people("user list --json").json[0]["masked"] == shown["masked"]


def test_what_was_just_given_is_not_masked_back(people):
    given = people(
        "user add eve --email eve@example.com --phone 13900139000 --full-name 'Eve Moneypenny' --birth-date 2000-01-02"
        " --add-address email:ev@x.com --json"
    ).json
    assert "masked" not in given
    assert (given["email"], given["phone"], given["addresses"]) == (
        "eve@example.com",
        "+8613900139000",
        ["email:ev@x.com"],
    )
    changed = people("user set alice --email new@example.com --json").json
    assert (changed["email"], changed["phone"]) == ("new@example.com", "+86138****8000")
    assert changed["changes"]["email"] == ["a***@example.com", "new@example.com"]
    assert changed["addresses"] == ["email:a***@x.com"]
    more = people("user set alice --add-address phone:13900139001 --json").json
    assert more["addresses"] == ["email:a***@x.com", "phone:+8613900139001"]
    assert people("user show phone:13800138000 --json").json["phone"] == "+8613800138000"
    assert people("user show NEW@example.com --json").json["email"] == "new@example.com"
    assert people("user show alice --json").json["email"] == "n***@example.com"


@pytest.mark.parametrize("form", ["table", "tsv", "csv", "json", "ndjson", "yaml"])
def test_reveal_shows_all_and_is_audited(people, form):
    fields = "email,phone,full_name,birth_date,addresses"
    shown = people(f"user show alice --fields {fields} -o {form} --reveal --reason 'ticket 7'").out
    listed = people(f"user list --fields {fields} -o {form} --reveal").out
    for value in PERSONAL:
        assert value in shown
        assert value in listed
    assert "masked" not in shown + listed
    entries = [e for e in people("audit list --json").json if e["action"] == "data.reveal"]
    assert [e["reason"] for e in entries] == ["ticket 7", None]
    assert entries[0]["target_name"] == "alice"
    assert [e["facts"]["count"] for e in entries] == [1, 3]
    assert entries[0]["facts"]["fields"] == fields.split(",")
    assert people("audit verify --state --json").json["holds"] is True


def test_history_is_revealed_too_and_then_tells_so(people):
    first = people("user history alice --json --reveal").json
    assert first[0]["changes"]["email"] == [None, "alice@example.com"]
    again = people("user history alice --json").json
    assert [e["action"] for e in again] == ["user.add", "data.reveal"]
    assert again[0]["changes"]["email"] == [None, "a***@example.com"]


def test_a_revealed_list_that_is_cut_counts_what_it_shows(people):
    people("user list --limit 2 --reveal")
    assert people("audit list --json").json[-1]["facts"]["count"] == 2


def test_only_reads_reveal(people):
    assert people("user set alice --gender male --reveal --json", exit=2).error["code"] == "usage.option"
    assert people("user exists alice --reveal --json", exit=2).error["code"] == "usage.option"


# -- errors ------------------------------------------------------------------------------------------------------------


ERRORS = [
    ("show nobody", 3),
    ("add alice", 5),
    ("add a1ice", 6),
    ("set alice --email nonsense", 6),
    ("close alice", 9),
    ("list --fields x", 2),
    ("nonsense", 2),
    ("list --nonsense", 2),
]


def test_an_error_is_one_line_of_json_and_nothing_on_standard_output(people):
    for line, code in ERRORS:
        for form in ("--json", "-o json", "-o ndjson", "--output=json"):
            answer = people(f"user {line} {form}", exit=code)
            assert answer.out == ""
            assert answer.err.count("\n") == 1
            assert set(answer.error) == {"code", "message", "hint", "exit_code", "details"}
            assert answer.error["exit_code"] == code
        words = people(f"user {line}", exit=code)
        assert words.out == ""
        assert words.err.startswith("error: ")
        assert people(f"user {line} -q", exit=code).err == words.err
