"""`import ... --resume` and `import runs`: a run that was broken off is gone on with, each record in exactly once."""

from __future__ import annotations

import csv
import io
import os

import orjson
import pytest

from usermgmt.domains.import_.pieces import Pieces
from usermgmt.domains.import_.reporting import Report
from usermgmt.domains.import_.runs import Run

CHUNK = {"USERMGMT_IMPORT_CHUNK": "2"}
COUNTS = ("created", "updated", "unchanged", "skipped", "rejected", "ignored")
SEVEN = "username\n" + "".join(f"user-{n}\n" for n in range(7))
MIXED = "username,full_name\n-a,x\nb,B\n,\nc\nd,D\n,\n-e,x\nf,F\n,\ng,G,G\nh,H\n-i,x\n"
"""Sound records, refused ones, empty ones, ones that are no rows: in every order."""


class Killed(BaseException):
    """The process is no more: nothing is tidied up."""


@pytest.fixture
def before_piece(monkeypatch):
    """Do something before the piece of the given number is looked at; those before it are committed."""
    whole = Pieces.__iter__

    def arrange(number, do):
        def pieces(self):
            for at, piece in enumerate(whole(self)):
                if at == number:
                    do()
                yield piece

        monkeypatch.setattr(Pieces, "__iter__", pieces)

    yield arrange
    monkeypatch.undo()


@pytest.fixture
def killed(run, before_piece, monkeypatch):
    """Import a file and be killed before the piece of the given number; return the id of the run."""

    def kill(path, number, options=""):
        with monkeypatch.context() as patch:
            patch.setattr(Run, "_leave", lambda *_: None)
            before_piece(number, raises(Killed))
            with pytest.raises(Killed):
                run(f"import users {path} {options}", env=CHUNK)
        monkeypatch.undo()
        return run("import runs -o ids").lines[-1]

    return kill


def raises(error):
    def do():
        raise error

    return do


def save(run, text, name="u.csv"):
    path = run.home / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def resume(run, path, name, options="", *, exit=0):  # noqa: A002 - the word of the contract
    result = run(f"import users {path} --resume {name} --json {options}", exit=exit, env=CHUNK)
    if result.out:
        assert result.json["read"] == sum(result.json[name] for name in COUNTS)
    return result


def counts(values):
    return {name: values[name] for name in COUNTS if values[name]}


def names(run):
    return [row[0] for row in run.sql('SELECT username FROM "user" ORDER BY id')]


def facts(run):
    """What the entries about runs say."""
    rows = run.sql("SELECT body FROM audit_entry WHERE action = 'data.import' ORDER BY seq")
    return [orjson.loads(row[0]) for row in rows]


def shown(run, name):
    return run(f"import runs {name} --json").json


# -- going on ----------------------------------------------------------------------------------------------------------


def test_a_killed_run_goes_on_behind_what_it_saved(run, killed):
    path = save(run, SEVEN)
    name = killed(path, 2)
    assert names(run) == [f"user-{n}" for n in range(4)]
    found = shown(run, name)
    assert (found["state"], found["read"], found["file"], found["noun"]) == ("interrupted", 4, str(path), "users")
    assert facts(run) == []
    done = resume(run, path, name[:20])
    assert (done.json["run"], done.json["outcome"], counts(done.json)) == (name, "created", {"created": 7})
    assert names(run) == [f"user-{n}" for n in range(7)]
    [entry] = facts(run)
    assert (entry["resumed"], entry["counts"]) == (name, {"created": 7, "read": 7})
    found = shown(run, name)
    assert (found["state"], counts(found)) == ("done", {"created": 7})
    run("audit verify --state")


def test_an_interrupted_run_says_how_to_go_on(run, before_piece):
    path = save(run, SEVEN, "my users.csv")
    before_piece(2, raises(KeyboardInterrupt))
    ended = run(["import", "users", str(path)], exit=130, env=CHUNK)
    name = run("import runs -o ids").lines[0]
    assert "the run ended after 4 records\n" in ended.err
    assert f"usermgmt import users '{path}' --resume {name}\n" in ended.err
    assert (shown(run, name)["state"], facts(run)[0]["ended"]) == ("interrupted", "interrupted")
    before_piece(9, raises(Killed))
    done = run(["import", "users", str(path), "--resume", name], env=CHUNK)
    assert done.out == "import users: created; 7 read: 7 created\n"
    assert [entry["counts"]["created"] for entry in facts(run)] == [4, 7]
    run("audit verify --state")


def test_a_run_that_failed_can_go_on(run, before_piece, monkeypatch):
    path = save(run, SEVEN)
    before_piece(1, raises(OSError(28, "No space left on device")))
    run(f"import users {path}", exit=8, env=CHUNK)
    monkeypatch.undo()
    name = run("import runs -o ids").lines[0]
    assert (shown(run, name)["state"], facts(run)[0]["ended"]) == ("failed", "failed")
    assert counts(resume(run, path, name).json) == {"created": 7}


@pytest.mark.parametrize("form", ["csv", "ndjson"])
@pytest.mark.engines("sqlite")
def test_wherever_it_is_killed_all_ends_as_without(run, killed, form):
    text = MIXED
    if form == "ndjson":
        rows = [dict(zip(("username", "full_name"), line.split(","), strict=False)) for line in MIXED.split()[1:]]
        text = "\n".join(
            orjson.dumps({**row, **({"shoes": 1} if at == 5 else {})}).decode() for at, row in enumerate(rows)
        )
    path, report = save(run, text, f"u.{form}"), run.home / "report.csv"
    expected = run(f"import users {path} --dry-run --json --report {report}", env=CHUNK, exit=7).json
    whole = report.read_bytes()
    for number in range(1, 6):
        report.unlink()
        name = killed(path, number, f"--report {report}")
        assert not report.exists()
        done = resume(run, path, name, exit=7).json
        assert counts(done) == counts(expected)
        assert report.read_bytes() == whole
        run(["user", "remove", *names(run), "--yes"])
    assert [one.name for one in run.home.iterdir() if "partial" in one.name] == []
    run("audit verify --state")


def test_a_run_that_is_done_is_unchanged(run):
    path = save(run, SEVEN)
    name = run(f"import users {path} --json").json["run"]
    before = run.sql("SELECT count(*) FROM audit_entry")
    again = resume(run, path, name)
    assert (again.json["outcome"], again.json["run"], counts(again.json)) == ("unchanged", name, {"created": 7})
    assert run.sql("SELECT count(*) FROM audit_entry") == before


def test_a_run_that_stopped_goes_on_behind_the_refused_record(run):
    path = save(run, "username\nalice\n-bad\n\nbob\n-worse\ncarol\n")
    told = run(f"import users {path} --on-error stop", exit=7)
    name = run("import runs -o ids").lines[0]
    assert f"--resume {name}\n" in told.err
    assert (shown(run, name)["state"], names(run)) == ("stopped", ["alice"])
    assert counts(resume(run, path, name, exit=7).json) == {"created": 2, "rejected": 2}
    assert counts(resume(run, path, name, exit=7).json) == {"created": 3, "rejected": 2}
    assert shown(run, name)["state"] == "done"
    run("audit verify --state")


def test_a_file_that_had_no_records_is_done(run):
    name = run(f"import users {save(run, 'username')} --json").json["run"]
    assert (shown(run, name)["state"], facts(run)) == ("done", [])


def test_what_a_redirected_file_gave_goes_on_with_it(run, before_piece, monkeypatch):
    before_piece(2, raises(KeyboardInterrupt))
    run("import users -", stdin=SEVEN, exit=130, env=CHUNK)
    monkeypatch.undo()
    name = run("import runs -o ids").lines[0]
    assert run(f"import users - --resume {name} --json", stdin=SEVEN).json["created"] == 7


@pytest.mark.engines("sqlite")
def test_going_on_can_be_rehearsed(run, killed):
    path = save(run, SEVEN)
    name = killed(path, 2)
    rehearsed = resume(run, path, name, "--dry-run").json
    assert (rehearsed["dry_run"], rehearsed["run"], counts(rehearsed)) == (True, None, {"created": 7})
    assert (shown(run, name)["state"], len(names(run))) == ("interrupted", 4)
    assert counts(resume(run, path, name).json) == {"created": 7}


# -- as it was begun ---------------------------------------------------------------------------------------------------


def test_a_resumed_run_goes_on_with_its_own_options_and_map(run, killed):
    mapping = save(run, '[columns]\nlogin = "username"\njob = "occupation"\n', "map.toml")
    run("user add u4 --occupation baker")
    path = save(run, "login;job\n" + "".join(f"u{n};cook\n" for n in range(6)))
    name = killed(path, 2, f"--map {mapping} --if-exists update --delimiter ';' --reason 'new jobs'")
    mapping.unlink()
    found = shown(run, name)["options"]
    assert (found["if_exists"], found["on_error"], found["delimiter"]) == ("update", "continue", ";")
    assert "sheet" not in found
    assert counts(resume(run, path, name).json) == {"created": 5, "updated": 1}
    assert run("user show u4 --json").json["occupation"] == "cook"
    run("audit verify --state")


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("again", "differing"),
    [
        ("--if-exists skip --on-error continue --empty keeps", ""),
        ("--if-exists fail", "--if-exists"),
        ("--if-exists update --on-error stop", "--if-exists, --on-error"),
        ("--empty clears", "--empty"),
        ("--drop-invalid --ignore-unknown", "--ignore-unknown, --drop-invalid"),
        ("--map other.toml", "--map"),
        ("--map same.toml", ""),
        ("--report other.csv", "--report"),
        ("--report r.csv --encoding utf-8 --from csv --delimiter comma", ""),
        ("--encoding gb18030", "--encoding"),
        ("--delimiter tab", "--delimiter"),
    ],
)
def test_other_options_are_refused_and_the_same_are_not(run, killed, again, differing):
    save(run, '[columns]\n"username" = "username"\n', "map.toml")
    save(run, "[columns]\nusername='username'", "same.toml")
    save(run, '[columns]\n"username" = "display_name"\n', "other.toml")
    path = save(run, SEVEN)
    name = killed(path, 2, "--if-exists skip --map map.toml --report r.csv")
    if not differing:
        assert counts(resume(run, path, name, again).json) == {"created": 7}
        return
    refused = resume(run, path, name, again, exit=5)
    assert (refused.error["code"], refused.error["details"]["options"]) == ("import.options", differing)
    assert len(names(run)) == 4


def test_a_file_that_changed_is_refused(run, killed):
    path = save(run, SEVEN)
    name = killed(path, 2)
    for text in (SEVEN + "more\n", SEVEN.replace("user-0", "user-9"), "", "\x00"):
        refused = resume(run, save(run, text), name, exit=6)
        assert refused.error["code"] == "import.file_changed"
    assert (len(names(run)), shown(run, name)["state"]) == (4, "interrupted")
    run("import users nowhere.csv --resume " + name, exit=3)
    # where it lies does not matter
    assert counts(resume(run, save(run, SEVEN, "moved.txt"), name).json) == {"created": 7}


def test_a_pipe_cannot_be_read_twice(run, before_piece, monkeypatch):
    pipe = run.home / "pipe"
    os.mkfifo(pipe)
    if not os.fork():
        pipe.write_text(SEVEN)
        os._exit(0)
    before_piece(2, raises(KeyboardInterrupt))
    ended = run(f"import users {pipe} --from csv --encoding utf-8", exit=130, env=CHUNK)
    os.wait()
    monkeypatch.undo()
    assert "--resume" not in ended.err
    name = run("import runs -o ids").lines[0]
    assert (shown(run, name)["size"], shown(run, name)["sha256"]) == (None, None)
    refused = resume(run, save(run, SEVEN), name, exit=5)
    assert (refused.error["code"], "pipe" in refused.error["message"]) == ("import.not_resumable", True)


def test_all_or_nothing_leaves_nothing_to_go_on_with(run, before_piece, monkeypatch):
    path = save(run, SEVEN)
    before_piece(2, raises(KeyboardInterrupt))
    ended = run(f"import users {path} --on-error rollback", exit=130, env=CHUNK)
    monkeypatch.undo()
    assert "--resume" not in ended.err
    name = run("import runs -o ids").lines[0]
    assert (shown(run, name)["state"], names(run)) == ("interrupted", [])
    assert resume(run, path, name, exit=5).error["code"] == "import.not_resumable"
    done = run(f"import users {path} --on-error rollback --json").json
    assert resume(run, path, done["run"]).json["outcome"] == "unchanged"


# -- which run ---------------------------------------------------------------------------------------------------------


def test_a_run_that_nobody_knows_is_told_the_latest(run):
    path = save(run, SEVEN)
    assert resume(run, path, "0199", exit=3).error["hint"] == ""
    first = run(f"import users {path} --json").json["run"]
    second = run(f"import users {path} --json").json["run"]
    for name in ("zzz", "%", first + "0", "''"):
        refused = resume(run, path, name, exit=3).error
        assert (refused["code"], refused["hint"].endswith(f"the latest: {second}, {first}")) == ("import.run", True)
    several = resume(run, path, first[:4], exit=5).error
    assert (several["code"], second in several["message"]) == ("import.ambiguous", True)
    run("import runs zzz", exit=3)


def test_runs_are_listed_in_their_order(run, killed):
    path = save(run, SEVEN)
    first = killed(path, 1)
    second = run(f"import users {path} --json").json["run"]
    rows = run("import runs --json").json
    assert [(row["run"], row["state"], counts(row)) for row in rows] == [
        (first, "interrupted", {"created": 2}),
        (second, "done", {"created": 5, "unchanged": 2}),
    ]
    assert run("import runs -o count").out == "2\n"
    cut = run("import runs --limit 1 --fields run,ended_at -o tsv --no-header")
    assert (cut.out, "1 of 2 shown" in cut.err) == (f"{first}\t\n", True)


@pytest.mark.engines("sqlite")
def test_a_hostile_name_of_a_file_is_neutral_on_a_terminal(run):
    path = save(run, SEVEN, "u\x1b[31m\u202e.csv")
    run(["import", "users", str(path)])
    for line in ("import runs", f"import runs {run('import runs -o ids').lines[0]}"):
        out = run(line, stdout_tty=True).out
        assert "\x1b[31m" not in out
        assert "\u202e" not in out


def test_a_run_that_is_going_on_cannot_be_resumed(run, before_piece):
    path = save(run, SEVEN)
    seen = []

    def look():
        name = run("import runs -o ids").lines[0]
        seen.append((shown(run, name)["state"], resume(run, path, name, exit=5).error["code"]))

    before_piece(2, look)
    assert run(f"import users {path} --json", env=CHUNK).json["created"] == 7
    assert seen == [("running", "import.running")]


def test_a_run_that_was_moved_under_its_process_saves_nothing_more(run, before_piece):
    path = save(run, SEVEN)
    before_piece(2, lambda: run.sql("UPDATE import_run SET done = 2"))
    assert run(f"import users {path} --json", env=CHUNK, exit=5).error["code"] == "import.moved"
    assert len(names(run)) == 4


# -- the report --------------------------------------------------------------------------------------------------------


def partials(run):
    return [one for one in run.home.iterdir() if one.name.endswith(".partial")]


def lines(report):
    return [row["line"] for row in csv.DictReader(io.StringIO(report.read_text()))]


@pytest.mark.engines("sqlite")
def test_what_was_reported_and_not_committed_is_cut_off(run, killed):
    path, report = save(run, MIXED), run.home / "report.csv"
    name = killed(path, 2, f"--report {report}")
    [partial] = partials(run)
    assert shown(run, name)["partial"] == str(partial)
    assert partial.stat().st_mode & 0o777 == 0o600
    with partial.open("ab") as file:
        file.write(b'{"line":99,"outcome":"rejected"}\n{"line":10')
    resume(run, path, name, exit=7)
    assert lines(report) == ["2", "5", "8", "11", "13"]
    assert partials(run) == []


@pytest.mark.engines("sqlite")
def test_an_interrupted_run_keeps_its_report_so_far_and_names_it(run, before_piece):
    before_piece(2, raises(KeyboardInterrupt))
    ended = run(f"import users {save(run, MIXED)} --report report.csv", exit=130, env=CHUNK, cwd=run.home)
    [partial] = partials(run)
    assert f"the report so far: {partial}\n" in ended.err
    header, *rows = map(orjson.loads, partial.read_bytes().splitlines())
    assert (header, [row["line"] for row in rows]) == (["username", "full_name"], [2, 5])
    assert not (run.home / "report.csv").exists()


@pytest.mark.engines("sqlite")
def test_a_report_that_was_not_written_at_the_end_is_written_later(run, monkeypatch):
    path, report = save(run, MIXED), run.home / "report.csv"
    with monkeypatch.context() as patch:
        patch.setattr(Report, "publish", lambda _self: raises(KeyboardInterrupt)())
        run(f"import users {path} --report {report}", exit=130)
    name = run("import runs -o ids").lines[0]
    assert (shown(run, name)["state"], report.exists()) == ("done", False)
    assert resume(run, path, name).json["outcome"] == "unchanged"
    assert lines(report) == ["2", "5", "8", "11", "13"]
    assert partials(run) == []
    report.write_text("mine")
    resume(run, path, name)
    assert report.read_text() == "mine"


@pytest.mark.engines("sqlite")
def test_a_run_whose_report_is_gone_does_not_go_on(run, killed):
    path = save(run, MIXED)
    name = killed(path, 2, f"--report {run.home}/report.csv")
    partials(run)[0].write_bytes(b"")
    assert resume(run, path, name, exit=5).error["code"] == "import.not_resumable"
    partials(run)[0].unlink()
    assert resume(run, path, name, exit=5).error["code"] == "import.not_resumable"
    assert shown(run, name)["state"] == "interrupted"


@pytest.mark.engines("sqlite")
def test_the_report_of_a_run_that_stopped_grows(run):
    path, report = save(run, MIXED), run.home / "report.csv"
    run(f"import users {path} --report {report} --on-error stop", exit=6)
    name = run("import runs -o ids").lines[0]
    for known in (1, 2, 3, 4, 5):
        assert lines(report) == ["2", "5", "8", "11", "13"][:known]
        resume(run, path, name, exit=None)
    assert partials(run) == []
    assert shown(run, name)["state"] == "done"
