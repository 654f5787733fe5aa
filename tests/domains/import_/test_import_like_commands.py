"""An imported record obeys exactly the rules of `user add` and `user set`, and leaves the same entry."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from itertools import count

import orjson
import pytest
from conftest import Runner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usermgmt.domains.user.importing import UserSession
from usermgmt.kernel.clock import Clock

NOW = Clock(datetime(2026, 6, 1, 12, tzinfo=UTC))

# what is there before: names, an address, a former name and somebody in Cyrillic to be mistaken for
BEFORE = (
    "user add alice --phone 13800138000 --full-name A --occupation doctor --email-verified-at 2026-01-01",
    "user add bob --phone 13900139000 --valid-until 2026-07-01",
    "user add олег",
    "user rename bob bobby",
    "user set bobby --status active --valid-from 2026-01-01 --yes",
)

NAMES = st.sampled_from(
    [
        "alice",
        "ALICE",
        "ａｌｉｃｅ",
        "bob",
        "bobby",
        "carol",
        "张伟",
        "Straße",
        "oлeг",
        "a b",
        "-x",
        "+1",
        "x/y",
        "..",
        "",
        "x" * 129,
        "o'neill",
        "محمد",
        "a\u200db",
        "éve",
        "naïve",
        "a:b",
        "a\x00b",
        "ﬁ",
        "①",
        "😀",
    ]
)
TEXTS = st.one_of(
    st.sampled_from(
        ["", "Ann", "张伟", "=1+1", 'a"b\\c', "tab\there", "x" * 200, "x" * 201, "\u202eevil", "a\nb", " "]
    ),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
FIELDS = {
    "email": [
        "x@example.com",
        "X@Example.COM",
        "x@例子.公司",
        "nonsense",
        "a@b",
        "x..y@example.com",
        "info@EXAMPLE.com",
    ],
    "phone": ["13900139000", "138 0013 8001", "+44 20 7946 0958", "123", "+8613800138000", "phone"],
    "gender": ["male", "FEMALE", " other ", "unknown"],
    "birth_date": ["1990-05-17", "2030-01-01", "1990-02-30", "17.5.1990", "1800-01-01", "2026-06-01"],
    "locale": ["zh_CN", "en", "x", "english"],
    "time_zone": ["Asia/Shanghai", "UTC", "Mars"],
    "kind": ["service", "Person", "robot"],
    "valid_from": ["2026-01-01", "90d", "2026-01-01T00:00:00+08:00", "soon", "2027-01-01"],
    "valid_until": ["2026-12-31", "1d", "2025-01-01", "9999-12-31", "never"],
    "email_verified_at": ["2026-01-01", "1d", "x"],
    "phone_verified_at": ["2026-01-01T10:00:00Z", "2w"],
    "managed_by": ["hr.toml"],
}
RECORDS = st.builds(
    lambda name, texts, fields: {"username": name, **texts, **fields},
    NAMES,
    st.dictionaries(st.sampled_from(["display_name", "full_name", "occupation"]), TEXTS, max_size=2),
    st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FIELDS.items()}),
)
LISTS = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.lists(st.sampled_from(["vip", "张", "a,b", " x ", "", "y" * 65, '"q"']), min_size=1, max_size=3),
        "external_ids": st.lists(
            st.sampled_from(["hr/1", "HR/2", "ldap/a b", "hr", "/1", "a/b/c"]), min_size=1, max_size=2
        ),
        "addresses": st.lists(
            st.sampled_from(["email:a@b.cn", "phone:13900139000", "fax:1", "email:x", "email:A@B.cn"]),
            min_size=1,
            max_size=2,
        ),
    },
)
OPTIONS = {"tags": "--add-tag", "external_ids": "--external-id", "addresses": "--add-address"}


@pytest.fixture
def pair(run, tmp_path):
    """A function that gives two equal stores, anew for every example."""
    for line in BEFORE:
        run(line, clock=NOW)
    numbers = count()

    def fresh():
        made = []
        for side in ("left", "right"):
            home = tmp_path / f"{side}-{next(numbers)}"
            shutil.copytree(run.home, home)
            made.append(Runner(str(home / "store.db"), home, "sqlite"))
        return made

    return fresh


def commanded(run, record, *, verb="add", more=()):
    """Do it by a command; return what it said and what is in the store."""
    words = ["user", verb, "--json", *more]
    for field, value in record.items():
        if field == "username":
            continue
        option = OPTIONS.get(field, "--" + field.replace("_", "-"))
        words += [f"{option}={one}" for one in (value if isinstance(value, list) else [value])]
    return outcome(run, [*words, "--", record["username"]], b"")


def imported(run, record):
    """Do it by a file of one record."""
    line = "import users - --from ndjson --if-exists update --empty clears --json"
    return outcome(run, line, orjson.dumps(record))


def outcome(run, line, stdin):
    result = run(line, stdin=stdin, clock=NOW, exit=None)
    said = (result.exit, result.error["code"] if result.exit else result.json["outcome"])
    return said, contents(run)


def contents(run):
    """Every user, and the entries about users, without what is made of randomness."""
    rows = run.sql('SELECT * FROM "user" ORDER BY username_norm')
    known = {row[1]: f"<{row[7]}>" for row in rows}

    def plain(value):
        for uid, name in known.items():
            value = value.replace(uid, name) if isinstance(value, str) else value
        return value

    entries = run.sql(
        "SELECT e.action, e.target, e.body, p.body FROM audit_entry e LEFT JOIN audit_pii p ON p.seq = e.seq "
        "WHERE e.target LIKE 'user:%' AND e.outcome = 'ok' ORDER BY e.seq"
    )
    tables = [rows, entries, *(run.sql(f"SELECT * FROM user_{name}") for name in ("tag", "external_id", "address"))]
    return [[tuple(map(plain, row)) for row in table] for table in tables]


@pytest.mark.engines("sqlite")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=RECORDS, lists=LISTS)
def test_a_new_user_is_judged_alike(pair, record, lists):
    left, right = pair()
    # a record without anything in it is an empty line of a spreadsheet
    if any(record.values()) and storable_on_argv(record):
        there = left(["user", "exists", "--", record["username"]], exit=None).exit == 0
        record = record if there else record | lists
        assert commanded(left, record, more=["--if-exists", "update"]) == imported(right, record)


@pytest.mark.engines("sqlite")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=RECORDS, name=st.sampled_from(["alice", "bobby"]))
def test_a_change_is_judged_alike(pair, record, name):
    left, right = pair()
    record = {**record, "username": name}
    # a command that asks for nothing is a mistake of usage, a record that says nothing is none
    if storable_on_argv(record) and len(record) > 1:
        assert commanded(left, record, verb="set") == imported(right, record)


def storable_on_argv(record):
    """Whether a command line can carry the record; argv holds no NUL."""
    return not any("\x00" in str(value) for value in record.values())


# -- the batch and one by one ------------------------------------------------------------------------------------------


def row(number, **fields):
    return {"uid": f"01890a5d-ac96-774b-bcce-{number:012d}", "username": f"user-{number}", **fields}


MANY = [
    row(0),
    row(1, display_name='quo"te', full_name="back\\slash", email="Q@Example.com"),
    row(2, full_name="张伟", phone="13800138000", gender="女", tags=["b", "a"], external_ids={"z": "1", "a": 'x"y'}),
    row(3, status="suspended", status_reason="line\nbreak\ttab", status_at="2025-01-01", created_at="2020-02-02"),
    row(4, username="MiXed1O", kind="service", addresses=["email:a@b.cn", "phone:13900139000"], managed_by="hr"),
    row(5, username="Ｆｉｇａｒｏ", valid_from="2026-01-01", valid_until="2026-12-31", email_verified_at="2026-01-01"),
    row(
        6,
        locale="zh_CN",
        time_zone="Asia/Shanghai",
        birth_date="1990-01-01",
        occupation="\u00a0nbsp\u202e",
        email="n@b.cn",
    ),
    row(7, status="active", kind="person", tags=["\U0001f600", '"']),
]
TABLES = {
    '"user"': "*",
    "user_tag": "*",
    "user_external_id": "*",
    "user_address": "*",
    "audit_entry": "seq, at, action, target, outcome, body",
    "audit_pii": "seq, part, subject, body",
}


@pytest.mark.parametrize("reason", ["", 'why "not"'])
def test_a_batch_writes_what_one_by_one_would_be_written(run, monkeypatch, reason):
    data = b"\n".join(map(orjson.dumps, MANY))
    line = ["import", "users", "-", "--from", "ndjson", "--json", "--reason", reason]
    rehearsed = []
    for single in (False, True):
        if single:
            monkeypatch.setattr(UserSession, "_write_new", lambda *_args, **_more: None)
        with monkeypatch.context() as inside:
            inside.setattr(
                "usermgmt.domains.import_.runs.Run._record", lambda self, *_: rehearsed.append(tables(self._ctx.db))
            )
            assert run([*line, "--dry-run"], stdin=data, clock=NOW).json["created"] == len(MANY)
    first, second = rehearsed
    assert first == second
    assert len(first["audit_pii"]) == len(MANY)


def tables(db):
    """What is in the running transaction: ids differ on PostgreSQL, where a sequence is not rolled back."""
    found = {}
    for name, columns in TABLES.items():
        order = (
            "uid" if name == '"user"' else "seq" if name.startswith("audit") else "2, 3" if name != "user_tag" else "2"
        )
        rows = [tuple(row) for row in db.exec_driver_sql(f"SELECT {columns} FROM {name} ORDER BY {order}")]
        found[name] = [row if name.startswith("audit") else row[1:] for row in rows]
    return found
