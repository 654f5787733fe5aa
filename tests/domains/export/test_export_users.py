"""`export users`: what leaves the store, how it is recorded, and that an import takes it back."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys

import orjson
import pytest
from conftest import Runner
from python_calamine import CalamineWorkbook

FORMATS = ("csv", "tsv", "json", "ndjson")
ALL = (*FORMATS, "xlsx")


@pytest.fixture
def office(run):
    """A store with something of everything that is exported."""
    run("user add alice --email Alice@Example.com --phone 13800138000 --full-name 张伟 --birth-date 1990-05-17")
    run("user tag alice --add-tag vip --add-tag beta")
    run("user set alice --add-external-id hr/4711 --add-external-id ldap/ÄÖ --add-address email:b@example.com")
    run("user set alice --add-address phone:13900139000 --email-verified-at 2026-01-01 --gender female")
    run("user add bob --kind service --valid-from 2026-01-01 --valid-until 2027-01-01 --managed-by hr.toml")
    run("user rename bob bobby")
    run("user rename bobby robert")
    run(["user", "suspend", "robert", "--reason", 'two\nlines, "quoted"'])
    run(["user", "add", "carol", "--full-name", "=HYPERLINK(1)", "--display-name", "'=x", "--occupation", "-1+1"])
    run("user add dave --locale zh-CN --time-zone Asia/Shanghai")
    run("user close dave --yes")
    return run


@pytest.fixture
def second(request, engine, tmp_path, tmp_path_factory, templates):
    """A second store of the same engine."""
    home = tmp_path / "second"
    home.mkdir(mode=0o700)
    url = str(home / "store.db")
    if engine == "postgresql":
        server = request.getfixturevalue("postgres")
        url = server.url(server.database())
    made = Runner(url, home, engine)
    made("init --region CN")
    return made


def exported(run, form, *more):
    if form != "xlsx":
        return run(["export", "users", "-o", form, *more]).data
    path = run.home / f"{len(list(run.home.glob('*.xlsx')))}.xlsx"
    run(["export", "users", "-o", form, "--out", str(path), *more])
    return path.read_bytes()


@pytest.mark.parametrize("form", ALL)
def test_an_import_of_an_export_gives_back_the_same(office, second, form):
    data = exported(office, form)
    result = second(f"import users - --from {form} --json", stdin=data)
    assert (result.json["created"], result.json["read"]) == (4, 4)
    assert exported(second, form) == data
    assert second(f"import users - --from {form} --json", stdin=data).json["unchanged"] == 4
    # the store it came from has nothing new to learn from it either
    assert office(f"import users - --from {form} --json", stdin=data).json["unchanged"] == 4
    second("user add bob", exit=5)
    second("audit verify --state")


def test_the_formats_say_the_same(office):
    objects = orjson.loads(exported(office, "json"))
    assert [orjson.loads(line) for line in exported(office, "ndjson").splitlines()] == objects
    cells = list(csv.DictReader(io.StringIO(exported(office, "csv", "--raw").decode(), newline="")))
    for record, row in zip(objects, cells, strict=True):
        assert list(record) == list(row)
        for name, value in record.items():
            assert row[name] == text_of(name, value), name


def text_of(name, value):
    if name in ("tags", "addresses"):
        return ";".join(value)
    if isinstance(value, dict):
        return orjson.dumps(value).decode() if value else ""
    return value or ""


def test_lists_and_objects_are_in_order_and_whole(office):
    alice, robert = orjson.loads(exported(office, "json"))[:2]
    assert (alice["tags"], alice["external_ids"]) == (["beta", "vip"], {"hr": "4711", "ldap": "ÄÖ"})
    assert alice["addresses"] == ["email:b@example.com", "phone:+8613900139000"]
    assert list(robert["former_names"]) == ["bob", "bobby"]
    assert all(until.endswith("Z") and len(until) == 24 for until in robert["former_names"].values())
    assert robert["status_reason"] == 'two\nlines, "quoted"'


def test_formulas_are_guarded_unless_told_otherwise(office):
    guarded = exported(office, "csv").decode()
    assert ",'=HYPERLINK(1)," in guarded
    assert ",''=x," in guarded
    assert ",'+8613800138000," in guarded
    raw = exported(office, "csv", "--raw").decode()
    assert ",=HYPERLINK(1)," in raw
    assert ",+8613800138000," in raw


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("--status suspended --status closed", ["robert", "dave"]),
        ("--tag vip", ["alice"]),
        ("--search 张", ["alice"]),
        ("--created-after 1d", ["alice", "robert", "carol", "dave"]),
        ("--created-after 2999-01-01", []),
    ],
)
def test_selectors_choose_whom(office, options, names):
    found = office(f"export users -o json {options}").json
    assert [one["username"] for one in found] == names
    assert office(f"export users -o ndjson {options}").data.count(b"\n") == len(names)


def test_the_number_is_recorded_before_anything_leaves(office):
    office('export users -o ndjson --status active --reason "for the auditor"')
    rows = office.sql("SELECT target, body FROM audit_entry WHERE action = 'data.export'")
    assert [(target, orjson.loads(body)) for target, body in rows] == [("users", {"count": 2, "format": "ndjson"})]
    last = office("audit list --action data.export --json --reveal").json[-1]
    assert last["reason"] == "for the auditor"


def test_a_file_is_whole_private_and_never_overwritten(office):
    path = office.home / "users.csv"
    result = office(f"export users --out {path}")
    assert (result.out, path.stat().st_mode & 0o777) == ("", 0o600)
    assert f"{path}: 4 records" in result.err
    assert path.read_bytes() == exported(office, "csv")
    before = len(office.sql("SELECT seq FROM audit_entry"))
    office(f"export users --out {path}", exit=5)
    office(f"export users --out {office.home}/no/where.csv", exit=3)
    assert len(office.sql("SELECT seq FROM audit_entry")) == before
    assert sorted(one.name for one in office.home.glob("*.csv*")) == ["users.csv"]


@pytest.mark.engines("sqlite")
def test_a_workbook_is_a_file_and_holds_texts_alone(office):
    before = len(office.sql("SELECT seq FROM audit_entry"))
    for out in ("", " --out -"):
        result = office(f"export users -o xlsx{out}", exit=2)
        assert "hint: pass --out FILE" in result.err
    assert len(office.sql("SELECT seq FROM audit_entry")) == before
    path = office.home / "users.xlsx"
    assert "users.xlsx: 4 records" in office(f"export users -o xlsx --out {path}").err
    sheet = CalamineWorkbook.from_path(path).get_sheet_by_name("users").to_python()
    assert [sheet[0], *sheet[1:]] == list(
        csv.reader(io.StringIO(exported(office, "csv", "--raw").decode(), newline=""))
    )
    assert path.stat().st_mode & 0o777 == 0o600
    office(f"export users -o xlsx --out {path}", exit=5)


@pytest.mark.engines("sqlite")
def test_more_users_than_a_sheet_has_rows_are_refused_before_anything_is_written(office, monkeypatch):
    from usermgmt.domains.export import service

    monkeypatch.setattr(service, "ROWS_OF_SHEET", 3)
    path = office.home / "users.xlsx"
    assert "holds 3 of these records" in office(f"export users -o xlsx --out {path}", exit=6).err
    office(f"export users -o xlsx --out {path} --status active")
    assert [one.name for one in office.home.glob("*xlsx*")] == ["users.xlsx"]


@pytest.mark.parametrize(("form", "data"), [("json", b"[]\n"), ("ndjson", b""), ("csv", None), ("tsv", None)])
def test_an_empty_store_gives_an_empty_table(run, form, data):
    found = exported(run, form)
    assert found == data if data is not None else found.startswith(b"uid") and found.count(b"\n") == 1


@pytest.mark.engines("sqlite")
def test_a_terminal_is_not_fed_control_characters(office):
    office(["user", "set", "alice", "--occupation", "x\u202ey"])
    for form in FORMATS:
        assert "\u202e" not in office(f"export users -o {form}", stdout_tty=True).out, form


@pytest.mark.engines("sqlite")
def test_an_export_is_one_snapshot(office, monkeypatch):
    """Users added while it is written are not in it, and it does not keep them out."""
    from usermgmt.domains.export import service

    kept = service._write

    def late(*args, **more):
        office("user ensure zoe")
        kept(*args, **more)

    monkeypatch.setattr(service, "_write", late)
    assert len(office("export users -o json").json) == 4
    assert len(office("export users -o json").json) == 5


def test_both_engines_write_the_same_bytes(office, tmp_path, request):
    if office.engine == "sqlite":
        pytest.skip("compared from the other side")
    home = tmp_path / "other"
    home.mkdir(mode=0o700)
    other = Runner(str(home / "store.db"), home, "sqlite")
    other("init --region CN")
    for form in ALL:
        data = exported(office, form)
        other(f"import users - --from {form}", stdin=data)
        assert exported(other, form) == data
    shutil.rmtree(home)


# -- texts that break things -------------------------------------------------------------------------------------------

TEXT_FIELDS = ("display_name", "full_name", "occupation", "managed_by", "status_reason")


def naughty(corpus):
    return [text for text in orjson.loads((corpus / "naughty-strings/blns.json").read_bytes()) if text]


@pytest.mark.corpus
@pytest.mark.parametrize("form", ALL)
def test_naughty_strings_come_back_as_they_were_or_are_refused_with_a_reason(run, second, corpus, form):
    texts = naughty(corpus)
    lines = [
        orjson.dumps({"username": f"user-{n}-{field.replace('_', '-')}", field: text})
        for n, text in enumerate(texts)
        for field in TEXT_FIELDS
    ]
    lines += [orjson.dumps({"username": text}) for text in texts]
    lines += [orjson.dumps({"username": f"tag-{n}", "tags": [text]}) for n, text in enumerate(texts)]
    lines += [orjson.dumps({"username": f"ext-{n}", "external_ids": {"x": text}}) for n, text in enumerate(texts)]
    result = run("import users - --from ndjson --json", stdin=b"\n".join(lines), exit=7)
    refused = [orjson.loads(line)["error"] for line in result.err.splitlines() if line.startswith("{")]
    assert len(refused) == result.json["rejected"]
    assert all(error["message"] and error["details"]["line"] for error in refused)
    kept = {
        (one["username"].rpartition("-")[0], name): one[name]
        for one in orjson.loads(exported(run, "json"))
        for name in TEXT_FIELDS
        if one[name]
    }
    assert len(kept) > 4 * 450
    data = exported(run, form)
    assert second(f"import users - --from {form} --json", stdin=data).json["created"] == result.json["created"]
    assert exported(second, form) == data
    for (name, field), value in kept.items():
        number = name.split("-")[1]
        assert value == texts[int(number)], field


@pytest.mark.corpus
def test_wordpress_users_into_a_second_store_and_back(run, second, corpus):
    run(f"import users {corpus / 'wordpress/00-users.csv'}")
    data = exported(run, "csv")
    assert second("import users - --json", stdin=data).json["created"] == 3
    back = exported(second, "csv")
    assert back == data
    assert run("import users - --json", stdin=back).json["unchanged"] == 3


@pytest.mark.engines("sqlite")
def test_a_reader_that_has_gone_is_141(office):
    command = [sys.executable, "-m", "usermgmt", "export", "users", "-o", "ndjson"]
    env = {**os.environ, **office.env}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as child:
        child.stdout.close()
        assert (child.wait(), child.stderr.read()) == (141, b"")


def test_nothing_reads_the_same_whether_or_not_others_have_something(run):
    lists = {"tags": [], "addresses": [], "external_ids": {}, "attributes": {}, "former_names": {}}
    run("user add alice")
    alone = {form: run(f"export users -o {form}").out.splitlines() for form in ("ndjson", "csv")}
    assert {name: orjson.loads(alone["ndjson"][0])[name] for name in lists} == lists
    run("user add b --add-tag x --external-id hr/7 --add-address email:b@example.com")
    run("user rename b bob")
    for form, lines in alone.items():
        assert run(f"export users -o {form}").out.splitlines()[: len(lines)] == lines
