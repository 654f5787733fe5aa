"""`store migrate`: an older schema brought forward after a verified backup, or left as it was."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from store_helpers import OLD, connected, digests, old_store

from usermgmt.kernel import registry
from usermgmt.kernel.columns import metadata
from usermgmt.migrations import HEAD, KNOWN
from usermgmt.migrations.run import upgrade

pytestmark = pytest.mark.store()


def backups(run):
    return sorted(run.home.rglob("*.backup.db"))


def migrate(run, options=""):
    """Migrate; the usual place of a backup from PostgreSQL is the account's own."""
    return run(f"store migrate --backup {run.home}/made.backup.db {options}")


def test_an_old_store_is_refused_and_then_migrated(run):
    meta = old_store(run)
    refused = run("user list --json", exit=8)
    assert refused.error["code"] == "schema.old"
    assert "store migrate" in refused.error["hint"]
    done = migrate(run, "--json --reason upgrade").json
    assert (done["outcome"], done["from"], done["to"], done["steps"]) == ("updated", OLD, HEAD, list(KNOWN[1:]))
    assert done["store_id"] == meta.store_id
    run("user add alice")
    entries = run("audit list --json").json
    assert [entry["action"] for entry in entries[-2:]] == ["store.migrate", "user.add"]
    facts = entries[-2]["facts"]
    assert (facts["from"], facts["to"], facts["backup"]["n"]) == (OLD, HEAD, 3)
    run("audit verify --state")
    run("doctor", exit=None)


def test_the_backup_is_of_the_old_schema_and_can_be_restored(run):
    meta = old_store(run)
    migrate(run)
    [path] = backups(run)
    said = json.loads(path.with_name(path.name + ".manifest.json").read_text())
    assert (said["schema"], said["n"], said["store"]) == (OLD, 3, meta.store_id)
    run("user add alice")
    back = run(f"store restore {path} --yes --json").json
    assert (back["lineage"], back["schema"], back["backup"]["schema"]) == (2, HEAD, OLD)
    assert run("user list -o count").out == "0\n"
    run("user add alice")
    run("audit verify --state")


@pytest.mark.engines("sqlite")
def test_the_backup_goes_beside_the_store(run):
    old_store(run)
    done = run("store migrate --json").json
    [path] = backups(run)
    assert (path.parent, done["backup"]) == (run.path.parent, str(path))
    assert path.name.startswith("store-0001-")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.engines("sqlite")
def test_a_store_with_a_rollback_journal_is_migrated_too(run):
    old_store(run)
    run.sql("PRAGMA journal_mode=DELETE")
    run("store migrate")
    assert run.sql("PRAGMA journal_mode") == [("delete",)]
    run("user add alice")
    run("audit verify --state")


def test_a_place_that_is_taken_stops_the_migration(run):
    old_store(run)
    (run.home / "before.db").write_text("mine")
    run("store migrate --backup before.db", exit=5)
    assert (run.home / "before.db").read_text() == "mine"
    assert run.sql("SELECT version_num FROM alembic_version") == [(OLD,)]


def test_a_rehearsal_lists_and_changes_nothing(run):
    old_store(run)
    before = digests(run.home)
    told = migrate(run, "--dry-run --json")
    assert (told.json["dry_run"], told.json["from"], told.json["steps"]) == (True, OLD, list(KNOWN[1:]))
    assert KNOWN[1] in told.err
    assert digests(run.home) == before
    assert run.sql("SELECT version_num FROM alembic_version") == [(OLD,)]


@pytest.mark.store("--region CN")
def test_an_up_to_date_store_is_unchanged(run):
    before = digests(run.home)
    assert run("store migrate --json").json["outcome"] == "unchanged"
    assert digests(run.home) == before
    assert run("store info --json").json["entries"] == 1


@pytest.mark.store("--region CN")
@pytest.mark.parametrize("line", ["store migrate", "user list", "store info", "store backup b.db"])
def test_a_newer_schema_is_left_alone(run, line):
    run.sql("UPDATE alembic_version SET version_num = '9999'")
    before = digests(run.home)
    assert run(f"{line} --json", exit=8).error["code"] == "schema.newer"
    assert digests(run.home) == before


def test_damage_in_the_audit_stops_the_migration(run):
    old_store(run)
    run.sql("UPDATE audit_entry SET body = '{}' WHERE seq = 2")
    run("store migrate --backup before.db", exit=12)
    assert run.sql("SELECT version_num FROM alembic_version") == [(OLD,)]
    assert backups(run) == []


def test_a_trigger_that_somebody_planted_stops_the_migration(run):
    old_store(run)
    if run.engine == "sqlite":
        run.sql("CREATE TRIGGER evil AFTER INSERT ON audit_entry BEGIN DELETE FROM audit_denial; END")
    else:
        run.sql("CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
        run.sql("CREATE TRIGGER evil AFTER INSERT ON audit_entry EXECUTE FUNCTION evil()")
    answer = run("store migrate --backup before.db --json", exit=12)
    assert "trigger evil" in answer.error["message"]
    assert run.sql("SELECT version_num FROM alembic_version") == [(OLD,)]


# -- each step, on a store in use --------------------------------------------------------------------------------------


@pytest.mark.store("--region CN")
def test_the_runs_of_imports_come_to_a_store_in_use(run):
    run("user add alice --email alice@example.com --add-tag vip --external-id hr/7")
    run.sql("DROP INDEX ix_user_valid_from")
    for table in ("import_run", "tick_slot", "user_notice", "user_attribute", "user_bigram", "user_org", "org_unit"):
        run.sql(f"DROP TABLE {table}")
    run.sql("UPDATE alembic_version SET version_num = '0002'")
    before = run.sql('SELECT * FROM "user"')
    assert run("import runs --json", exit=8).error["code"] == "schema.old"
    migrate(run)
    assert run.sql('SELECT * FROM "user"') == before
    assert run("import runs --json").json == []
    assert run("import users - --json", stdin="username\nalice\nbob\n").json["created"] == 1
    assert run("import runs -o count").out == "1\n"
    run("audit verify --state")
    run("store backup after.db")


# -- the schema --------------------------------------------------------------------------------------------------------


def texts(run):
    """Every object of the schema as text, for whatever engine."""
    if run.engine == "sqlite":
        rows = run.sql("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    else:
        rows = run.sql(
            """
            SELECT 'column', c.relname, a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' '
              || a.attnotnull || ' ' || coalesce(l.collname, '') || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               LEFT JOIN pg_collation l ON l.oid = a.attcollation
              LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL SELECT 'constraint', conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
              FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT 'sequence', sequencename, data_type::text FROM pg_sequences WHERE schemaname = 'public'
            """
        )
    return sorted((kind, name, " ".join(text.split())) for kind, name, text in rows if name != "alembic_version")


def test_the_migrated_schema_is_the_one_that_the_models_make(run, tmp_path, request):
    with connected(run) as connection:
        upgrade(connection)
    migrated = texts(run)
    fresh = type(run)(run.url, run.home, run.engine)
    if run.engine == "sqlite":
        fresh.url = str(tmp_path / "fresh.db")
    else:
        server = request.getfixturevalue("postgres")
        fresh.url = server.url(server.database())
    registry.load_models()
    with connected(fresh) as connection:
        metadata.create_all(connection)
    assert texts(fresh) == migrated
    assert len(migrated) > 20


def test_each_step_leads_to_the_same_schema_as_all_at_once(run, tmp_path, request):
    for revision in KNOWN:
        with connected(run) as connection:
            upgrade(connection, revision)
            assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == revision
    stepped = texts(run)
    if run.engine == "sqlite":
        run.url = str(tmp_path / "fresh.db")
    else:
        server = request.getfixturevalue("postgres")
        run.url = server.url(server.database())
    with connected(run) as connection:
        upgrade(connection)
    assert texts(run) == stepped
