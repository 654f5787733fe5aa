"""`--where`: users chosen by an expression, in lists, bulk commands and exports."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usermgmt.domains.user import expressions, state
from usermgmt.domains.user.state import user
from usermgmt.engines.rules.types import Unknown
from usermgmt.kernel.cells import text_of
from usermgmt.kernel.permissions import P
from usermgmt.kernel.settings_attributes import Attribute

NOW, TODAY = "2026-11-26T08:00:00.000Z", "2026-11-26"


@pytest.fixture
def office(run):
    """Alice and Bob and Carol and a job, each with something that the others lack."""
    run("user add alice --email Alice@Example.com --add-tag vip --add-tag 北京 --birth-date 1990-05-17")
    run("user set alice --add-external-id hr/47")
    run("user add Bob --phone 13800138000 --full-name 'Bob Smith' --valid-from 2019-01-01 --valid-until 2020-01-01")
    run("user tag Bob --add-tag trial")
    run("user add 张伟 --add-tag vip --occupation 教师 --birth-date 2001-12-01 --add-address email:w@example.com")
    run("user add job --kind service --external-id hr/5 --external-id git.lab/x")
    run("user suspend 张伟 --reason leave")
    return run


def chosen(run, expression):
    return run(["user", "list", "--where", expression, "--fields", "username", "--json", "--jq", ".[].username"]).lines


CHOSEN = {
    'status == "active" && "vip" in tags': "alice",
    'user.status == "active" && "vip" in user.tags': "alice",
    'status != "active"': "张伟",
    'status in ["suspended", "closed"] || kind == "service"': "张伟 job",
    "active": "alice job",
    'cause == "expired"': "Bob",
    "!has(cause)": "alice job",
    "age >= 18": "alice 张伟",
    "!(age >= 18)": "",
    '!has(birth_date) || birth_date > "2000"': "Bob 张伟 job",
    'birth_date < "1991"': "alice",
    'username == "Bob"': "Bob",
    'username == "bob"': "",
    'username.lowerAscii() == "bob"': "Bob",
    'username.startsWith("B") || username.startsWith("张")': "Bob 张伟",
    'username.contains("o") && username.endsWith("b")': "Bob job",
    'username in ["alice", "张伟", "nobody"]': "alice 张伟",
    'email == "Alice@example.com"': "alice",
    'email.lowerAscii().endsWith("@example.com")': "alice",
    "has(email)": "alice",
    'phone == "+8613800138000"': "Bob",
    'full_name.startsWith("Bob")': "Bob",
    'occupation == "教师" || "北京" in tags': "alice 张伟",
    "size(tags) == 0": "job",
    "size(tags) * 2 - 1 > 1": "alice",
    '"trial" in tags ? has(phone) : kind == "service"': "Bob job",
    'external_ids.hr == "47"': "alice",
    'external_ids.hr != "47"': "job",
    '"hr" in external_ids && !("git.lab" in external_ids)': "alice",
    'external_ids["git.lab"] == "x"': "job",
    'external_ids.hr in ["5", "47"] && kind == "person"': "alice",
    '"email:w@example.com" in addresses': "张伟",
    'created_at > now - duration("24h")': "alice Bob 张伟 job",
    'now - created_at > duration("24h")': "",
    'valid_until < timestamp("2026-01-01T00:00:00Z")': "Bob",
    'valid_until - valid_from == duration("8784h")': "Bob",
    "id % 2 == 1": "alice 张伟",
    "version > 1": "alice Bob 张伟",
    "status_at == created_at": "alice Bob job",
    "true": "alice Bob 张伟 job",
    "false": "",
    "1 / (id - 1) >= 0": "Bob 张伟 job",
    '1 / (id - 1) >= 0 || username == "alice"': "alice Bob 张伟 job",
}


def test_an_expression_chooses_users(office):
    """All in one store: what is asked changes nothing."""
    assert {one: " ".join(chosen(office, one)) for one in CHOSEN} == CHOSEN


def test_it_narrows_what_other_filters_choose(office):
    assert office("user list --tag vip --where 'birth_date < \"2000\"' -o ids").lines == ["id:1"]
    assert office("user list --status suspended --where 'active' -o count").out == "0\n"


def test_a_bulk_change_is_rehearsed_then_done(office):
    line = """user tag --where 'size(tags) > 0 && status == "active"' --add-tag kept --json"""
    before = office("user list --json").json
    rehearsed = office(line + " --dry-run").json
    assert [(one["username"], one["dry_run"]) for one in rehearsed] == [("alice", True), ("Bob", True)]
    assert office("user list --json").json == before
    office(line, exit=9)
    assert [one["outcome"] for one in office(line + " --yes").json] == ["updated", "updated"]
    assert chosen(office, '"kept" in tags') == ["alice", "Bob"]
    assert office("audit verify --state --json").json["holds"] is True


def test_what_a_bulk_command_is_told_to_select_has_no_users_beside_it(office):
    answer = office("user suspend job --where 'id == 1' --yes --json")
    assert sorted(one["username"] for one in answer.json) == ["alice", "job"]
    assert office("user suspend --where 'id == 99' --yes --json").json == []


def test_an_export_takes_it(office):
    out = office("""export users --where '"vip" in tags' -o ndjson --fields x""", exit=2)
    out = office("""export users --where '"vip" in tags' -o ndjson""")
    assert [line.split('"username":')[1].split(",")[0] for line in out.lines] == ['"alice"', '"张伟"']
    assert office("audit list --action data.export --json").json[-1]["facts"]["count"] == 2


REFUSED = [
    ("", "expression.syntax", ""),
    ("status = 'active'", "expression.syntax", "= 'active'"),
    ("statsu == 'active'", "expression.name", "statsu == 'active'"),
    ("status == 1", "expression.type", "== 1"),
    ("id", "expression.type", "id"),
    ("(" * 10_000 + "active" + ")" * 10_000, "expression.limit", "(" * 24),
    (" || ".join(['status == "active"'] * 5_000), "expression.limit", 'status == "active" || st'),
    ("has(attributes.x)", "expression.name", "attributes.x)"),
    ('external_ids["A B"] == ""', "expression.name", 'external_ids["A B"] == "'),
    ("\x1b[31m", "expression.syntax", "\x1b[31m"),
    ("\udcff", "expression.syntax", "\ufffd"),
    ('username == "\udcff"', "expression.syntax", '"\ufffd"'),
]


@pytest.mark.engines("sqlite")
def test_what_cannot_be_read_is_refused_in_one_line(run):
    for expression, code, excerpt in REFUSED:
        answer = run(["user", "list", "--where", expression], exit=2)
        assert answer.out == ""
        assert len(answer.err.splitlines()) == 2
        assert "\x1b" not in answer.err
        error = run(["user", "list", "--json", "--where", expression], exit=2).error
        assert (error["code"], error["details"]["excerpt"]) == (code, excerpt)
        assert error["details"]["option"] == "--where"
        assert len(error["message"]) < 200


@pytest.mark.engines("sqlite")
def test_every_command_with_selectors_reads_it(run):
    for line in (
        "user set --kind service",
        "user suspend",
        "user activate",
        "user close",
        "user reopen",
        "user remove",
        "user tag --add-tag x",
        "export users",
    ):
        assert run([*line.split(), "--where", "statsu"], exit=2).err.startswith(
            "error: --where, column 1: there is no field"
        )
        run([*line.split(), "--where", ""], exit=2)


@pytest.mark.engines("sqlite")
def test_the_nearest_field_is_offered_in_both_languages(run):
    said = run("user list --where 'statsu == \"x\"'", exit=2).err
    assert said == 'error: --where, column 1: there is no field statsu, at: statsu == "x"\nhint: did you mean status?\n'
    assert "没有字段 statsu" in run("--lang zh user list --where 'statsu == \"x\"'", exit=2).err


def test_whom_it_cannot_judge_is_said_when_asked(office):
    answer = office("user list --where 'age > 0' -o count -v")
    assert answer.out == "2\n"
    assert "--where cannot judge 2 users: a field that it asks for has no value\n" in answer.err
    assert office("user list --where 'age > 0' -o count").err == ""


# -- masked fields -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "felt"),
    [
        ('email == "a@b.c" || phone in ["+8613800138000"]', []),
        ("has(email) && !has(full_name) && has(birth_date)", []),
        ('age > 30 && username.startsWith("a")', []),
        ('email.startsWith("a")', ["email"]),
        ('email < "b" || email == "a"', ["email"]),
        ("email == phone", ["email", "phone"]),
        ('phone.contains("138")', ["phone"]),
        ('full_name == "Bob Smith"', ["full_name"]),
        ('birth_date == "1990-05-17"', ["birth_date"]),
        ('"email:a@b.c" in addresses', ["addresses"]),
        ("size(addresses) > 0", ["addresses"]),
        ('username == (has(email) ? email : "")', ["email"]),
    ],
)
def test_asking_for_masked_values_until_one_fits_is_noticed(expression, felt):
    found = expressions.rule(expression, expressions.schema(NOW, TODAY), "--where")
    assert found.felt == felt


@pytest.mark.engines("sqlite")
def test_who_may_not_reveal_may_not_feel_for_it(office, monkeypatch):
    from usermgmt.kernel.actor import Actor

    monkeypatch.setattr(Actor, "may", lambda _self, permission: permission != P.DATA_REVEAL)
    answer = office("user list --where 'phone.startsWith(\"+86138\")' --json", exit=4)
    assert answer.error["details"]["permission"] == "data:reveal"
    assert chosen(office, 'phone == "+8613800138000"') == ["Bob"]
    assert chosen(office, "age > 30") == ["alice"]


# -- records and rows agree --------------------------------------------------------------------------------------------

_FIELDS = {
    "username": ["alice", "Bob", "bob", "张伟", "a", ""],
    "status": ["active", "suspended", "pending"],
    "cause": ["expired", "suspended"],
    "email": ["Alice@example.com", "alice@example.com", "x"],
    "phone": ["+8613800138000"],
    "full_name": ["Bob Smith", "B"],
    "birth_date": ["1990-05-17", "2000"],
    "occupation": ["教师", ""],
    "external_ids.hr": ["5", "47"],
    'external_ids["git.lab"]': ["x"],
    "kind": ["person", "service"],
}
_TEXTS = st.sampled_from(sorted(_FIELDS)).flatmap(
    lambda name: st.builds(
        lambda form, value: form.format(name, value),
        st.sampled_from(
            ["{} == '{}'", "{} != '{}'", "{} < '{}'", "{}.startsWith('{}')", "{} in ['{}', 'zz']", "has({})"]
        ),
        st.sampled_from(_FIELDS[name]),
    )
)
_OTHERS = st.sampled_from(
    [
        "active",
        "age > 30",
        "age == 24",
        "size(tags) > 1",
        "'vip' in tags",
        "username in tags",
        "id > 2",
        "version == 1",
        "valid_until < now",
        "created_at < updated_at",
        "updated_at - created_at < duration('1h')",
        "has(age)",
        "has(valid_from)",
        "valid_from + duration('1h') < valid_until",
        "'email:w@example.com' in addresses",
        "size(addresses) == 0",
    ]
)
_ASKED = st.recursive(
    st.one_of(_TEXTS, _OTHERS),
    lambda part: st.one_of(
        part.map(lambda one: f"!({one})"),
        st.lists(part, min_size=2, max_size=3).map(lambda parts: f"({' && '.join(parts)})"),
        st.lists(part, min_size=2, max_size=3).map(lambda parts: f"({' || '.join(parts)})"),
    ),
    max_leaves=6,
)


def opened(run):
    if run.engine == "sqlite":
        import sqlcipher3.dbapi2

        return sa.create_engine(f"sqlite:///{run.url}", module=sqlcipher3.dbapi2)
    return sa.create_engine(run.url)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(expression=_ASKED)
def test_every_field_is_for_a_record_what_it_is_for_sql(agreeing, expression):
    connection, records = agreeing
    made = expressions.rule(expression, expressions.schema(NOW, TODAY), "--where")
    answers = {number: made.holds(record) for number, record in records.items()}
    for condition, wanted in (
        (made.condition, lambda one: one is True),
        (made.unknown, lambda one: isinstance(one, Unknown)),
    ):
        found = connection.execute(sa.select(user.c.id).where(condition).order_by(user.c.id)).scalars().all()
        assert found == [number for number, one in answers.items() if wanted(one)]


@pytest.fixture
def agreeing(office):
    engine = opened(office)
    with engine.connect() as connection:
        ids = list(connection.execute(sa.select(user.c.id).order_by(user.c.id)).scalars())
        yield connection, {number: _record(connection, number) for number in ids}
    engine.dispose()


def _record(connection, number):
    found = state.load(connection, [number])[number]
    return {
        **found,
        "addresses": [f"{one[0]}:{one[1]}" if isinstance(one, tuple) else one for one in found["addresses"]],
    }


# -- indexes -----------------------------------------------------------------------------------------------------------

INDEXED = {
    'username == "u7"': "username_norm",
    'username in ["u7", "u8"]': "username_norm",
    'username.startsWith("u77")': "username_norm",
    'username.startsWith("张")': "username_norm",
    'email == "u7@example.com"': "email_norm",
    'phone == "+8613800138000"': "phone",
    "id < 10": "pk|INTEGER PRIMARY KEY",
    'status == "suspended"': "ix_user_status_id",
    'status in ["suspended", "pending"]': "ix_user_status_id",
    'created_at > timestamp("2100-01-01T00:00:00Z")': "ix_user_created_at_id",
    'valid_until < now + duration("720h")': "ix_user_valid_until",
    '"rare" in tags': "ix_user_tag_tag_user_id",
    'status == "active" && "rare" in tags': "ix_user_tag_tag_user_id",
    'external_ids.hr == "7"': "user_external_id",
    'status == "suspended" || username == "u7"': "ix_user_status_id",
}


def test_indexed_fields_are_found_by_their_indexes(run):
    lines = "".join(f'{{"username":"u{n}","email":"u{n}@example.com","tags":["t{n % 7}"]}}\n' for n in range(1500))
    run("import users - --from ndjson -q", stdin=lines)
    engine = opened(run)
    with engine.connect() as connection:
        if run.engine == "postgresql":
            connection.exec_driver_sql("ANALYZE")
        explain = "EXPLAIN " if run.engine == "postgresql" else "EXPLAIN QUERY PLAN "
        for expression, index in INDEXED.items():
            made = expressions.rule(expression, expressions.schema(NOW, TODAY), "--where")
            query = sa.select(user.c.username).where(made.condition)
            compiled = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
            plan = "\n".join(str(row) for row in connection.exec_driver_sql(explain + compiled.replace("%%", "%")))
            assert re.search(index, plan), (expression, plan)
            assert not re.search(r"Seq Scan on \"?user\"?\b(?!_)|SCAN user\b(?!_)(?! USING)", plan), (expression, plan)
    engine.dispose()


# -- attributes that the configuration declares ------------------------------------------------------------------------


@pytest.fixture
def declared(run):
    run.configure(
        "attribute.department.type = 'text'\nattribute.height.type = 'integer'\nattribute.vip.type = 'boolean'\n"
        "attribute.hired.type = 'date'\nattribute.card.type = 'text'\nattribute.card.mask = 'text'\n"
    )
    run("user add alice --attribute department=研发 --attribute height=170 --attribute vip=yes --attribute card=c-1")
    run(
        "user add bob --attribute department=研究 --attribute height=-3 --attribute vip=no --attribute hired=2020-02-29"
    )
    run("user add carol")
    return run


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('attributes.department == "研发"', "alice"),
        ('attributes.department.startsWith("研")', "alice bob"),
        ('attributes.department in ["研究", "x"]', "bob"),
        ("attributes.height > 0", "alice"),
        ("attributes.height in [-3, 170]", "alice bob"),
        ("attributes.vip", "alice"),
        ("!attributes.vip", "bob"),
        ('user.attributes["hired"] < "2021"', "bob"),
        ('!("vip" in attributes) || attributes.height == 170', "alice carol"),
        ("has(attributes.card)", "alice"),
    ],
)
def test_attributes_have_their_declared_types(declared, expression, names):
    assert chosen(declared, expression) == names.split()
    # the same of records
    kinds = {"department": "text", "height": "integer", "vip": "boolean", "hired": "date", "card": "text"}
    made = expressions.schema(NOW, TODAY, {name: Attribute(name, kind) for name, kind in kinds.items()})
    rule = expressions.rule(expression, made, "--where")
    rows = declared("user list --reveal --fields username,attributes --json").json
    kept = [{**row, "attributes": {name: text_of(value) for name, value in row["attributes"].items()}} for row in rows]
    assert [row["username"] for row in kept if rule.holds(row) is True] == names.split()


def test_attributes_that_are_not_declared_or_do_not_fit_are_refused(declared):
    for expression, code in (("attributes.x == 1", "expression.name"), ("attributes.height == 'x'", "expression.type")):
        assert declared(["user", "list", "--json", "--where", expression], exit=2).error["code"] == code


def test_a_changed_declaration_makes_no_false_value(declared):
    declared.configure("attribute.department.type = 'integer'\nattribute.height.type = 'boolean'\n")
    assert chosen(declared, "attributes.department > 0 || attributes.height") == []
    assert chosen(declared, "has(attributes.department)") == []
