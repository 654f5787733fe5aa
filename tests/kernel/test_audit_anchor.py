"""Anchors: signed, appended forwards only, read from the tail, refused where the file is not to be trusted."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.anchor import Anchor, AnchorFault
from usermgmt.kernel.errors import Unavailable

STORE = "0197b0a0-0000-7000-8000-000000000001"


def made(n, **other):
    facts = {"store": STORE, "lineage": 1, "n": n, "hash": f"{n:064x}", "root": f"{n:064x}"}
    return Anchor(**{**facts, "at": "2026-01-01T00:00:00.000Z", **other})


@pytest.fixture
def key(tmp_path):
    return keys.create_key(tmp_path / "keys", b"k" * 32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "anchors" / f"{STORE}.jsonl"


@pytest.fixture
def append(path, key):
    return lambda n, **other: anchors.append(path, made(n, **other), key.sign)


def problem(call, *arguments, **options):
    with pytest.raises(AnchorFault) as caught:
        call(*arguments, **options)
    assert isinstance(caught.value, Unavailable)
    return caught.value.facts["problem"]


# -- the line ----------------------------------------------------------------------------------------------------------


def test_a_line_is_canonical_json_and_reads_back(key):
    signed = key.sign(made(7))
    facts = json.loads(signed.line())
    assert signed.line() == json.dumps(facts, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert facts == signed.as_dict()
    assert Anchor.parse(signed.line()) == signed
    del facts["sig"]
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    assert signed.signed_bytes() == b"usermgmt/anchor/v1\0" + text.encode()


@pytest.mark.parametrize(
    "forge",
    [
        lambda line: line[:-3],
        lambda line: line[1:],
        lambda line: line + b"x",
        lambda line: line * 2,
        lambda line: line.replace(b'"n":7', b'"n":07'),
        lambda line: line.replace(b'"n":7', b'"n":-7'),
        lambda line: line.replace(b'"n":7', b'"n":7.0'),
        lambda line: line.replace(b'"n":7', b'"n":' + b"7" * 30),
        lambda line: line.replace(b'"n":7', b'"n":7,"n":8'),
        lambda line: line.replace(b'"n":7', b'"m":0,"n":7'),
        lambda line: line.replace(b'"n":7', b'"n":"7"'),
        lambda line: line.replace(b"000000000007", b"00000000000G"),
        lambda line: line.replace(b"2026", "２０２６".encode()),
        lambda line: line.replace(b"2026", b"\xff"),
        lambda _line: b"",
        lambda _line: b"{}",
        lambda _line: b"[" * 100_000,
    ],
)
def test_what_this_module_did_not_write_is_no_anchor(key, forge):
    with pytest.raises(ValueError):  # noqa: PT011 - UnicodeDecodeError is one, with words of its own
        Anchor.parse(forge(key.sign(made(7)).line()))


@pytest.mark.parametrize("field", ["store", "hash", "root", "at"])
def test_a_value_that_would_need_an_escape_is_not_written(path, key, field):
    with pytest.raises(ValueError, match="at"):
        anchors.append(path, made(1)._replace(**{field: 'a"b'}), key.sign)
    assert not path.exists()


# -- the signature -----------------------------------------------------------------------------------------------------


def test_a_signature_is_over_every_field(key, tmp_path):
    signed = key.sign(made(7))
    assert anchors.verify_signature(signed, key.public)
    other = {"store": "x", "lineage": 2, "n": 8, "hash": "0" * 64, "root": "0" * 64, "at": "2026-01-02T00:00:00.000Z"}
    for field, value in {**other, "key": "0" * 16, "sig": "0" * 128}.items():
        assert not anchors.verify_signature(signed._replace(**{field: value}), key.public)
    stranger = keys.create_key(tmp_path / "other")
    assert not anchors.verify_signature(signed, stranger.public)
    assert not anchors.verify_signature(stranger.sign(made(7)), key.public)
    # a stranger who states our key's id
    assert not anchors.verify_signature(stranger.sign(made(7))._replace(key=signed.key), key.public)
    assert not anchors.verify_signature(signed, b"")


# -- appending ---------------------------------------------------------------------------------------------------------


def test_nothing_there_yet(path):
    assert anchors.last(path) is None
    assert anchors.read_all(path) == anchors.Reading([], [])


def test_appended_anchors_are_private_and_read_back(append, path, key):
    assert all(append(n) for n in range(30))
    assert anchors.last(path) == key.sign(made(29))
    assert anchors.read_all(path) == anchors.Reading([key.sign(made(n)) for n in range(30)], [])
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path)] == [0o700, 0o600]


def test_anchors_go_forwards_only(append, path):
    assert append(5, lineage=2)
    for n, lineage in [(4, 2), (0, 2), (9, 1), (5, 2)]:
        assert not append(n, lineage=lineage)
    # the same size and another hash is a fork: evidence, and not a step back
    assert append(5, lineage=2, hash="f" * 64)
    assert append(6, lineage=2)
    assert append(3, lineage=3)
    assert [(one.lineage, one.n) for one in anchors.read_all(path).anchors] == [(2, 5), (2, 5), (2, 6), (3, 3)]


def test_the_anchors_of_another_store_are_not_mixed_in(append, path):
    append(5)
    before = path.read_bytes()
    assert "another store" in problem(append, 6, store="other")
    assert path.read_bytes() == before


# -- torn and forged lines ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 1, 100, -2])
def test_a_torn_last_line_is_passed_over_and_healed(append, path, key, kept):
    append(1)
    append(2)
    torn = key.sign(made(3)).line()[:kept]
    with path.open("ab") as stream:
        stream.write(torn)
    assert anchors.last(path).n == 2
    assert anchors.read_all(path).unreadable == []
    assert append(4)
    assert anchors.last(path).n == 4
    reading = anchors.read_all(path)
    assert [one.n for one in reading.anchors] == [1, 2, 4]
    assert reading.unreadable == ([3] if torn else [])


def test_a_line_that_lacks_only_its_break_counts(append, path):
    append(1)
    path.write_bytes(path.read_bytes()[:-1])
    assert anchors.last(path).n == 1
    assert append(2)
    assert [one.n for one in anchors.read_all(path).anchors] == [1, 2]


def test_a_file_with_nothing_but_a_torn_line_has_no_anchor(append, path):
    append(1)
    path.write_bytes(path.read_bytes()[:50])
    assert anchors.last(path) is None
    assert append(2)
    assert anchors.last(path).n == 2


def test_unreadable_lines_are_numbered(append, path):
    for n in range(3):
        append(n)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff\n" + lines[1] + b"\n" + lines[2])
    reading = anchors.read_all(path)
    assert ([one.n for one in reading.anchors], reading.unreadable) == ([0, 1, 2], [2, 4])


def test_an_anchor_before_much_garbage_is_still_found(append, path):
    append(1)
    with path.open("ab") as stream:
        stream.write(b"garbage\n" * 5000)
    assert anchors.last(path).n == 1
    assert append(2)


def test_a_file_without_any_anchor_is_refused(append, path):
    append(1)
    path.write_bytes(b"garbage\n" * 5000)
    for call in (lambda: anchors.last(path), lambda: append(2)):
        assert "no line of it is an anchor" in problem(call)


def test_last_reads_the_tail_only(append, path, monkeypatch):
    for n in range(2000):
        append(n)
    asked = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, at: asked.append(size) or pread(file, size, at))
    assert anchors.last(path).n == 1999
    assert asked == [4096]


# -- files not to be trusted -------------------------------------------------------------------------------------------


def everything(append, path):
    return [lambda: append(9), lambda: anchors.last(path), lambda: anchors.read_all(path)]


def test_a_symlinked_file_is_refused(append, path, tmp_path):
    append(1)
    victim = path.rename(tmp_path / "victim")
    path.symlink_to(victim)
    before = victim.read_bytes()
    for call in everything(append, path):
        assert problem(call) == "it is a symbolic link"
    assert victim.read_bytes() == before


def test_a_dangling_link_creates_nothing(append, path, tmp_path):
    path.parent.mkdir(0o700)
    path.symlink_to(tmp_path / "victim")
    problem(append, 1)
    assert not (tmp_path / "victim").exists()


def test_a_fifo_or_directory_in_its_place_is_refused_at_once(append, path):
    path.parent.mkdir(0o700)
    for plant in (lambda: os.mkfifo(path, 0o600), lambda: path.mkdir(0o700)):
        plant()
        # a FIFO that was opened would wait for ever, until pytest-timeout ends it
        for call in everything(append, path):
            problem(call)
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(append, path, mode):
    append(1)
    path.chmod(mode)
    for call in everything(append, path):
        assert problem(call) == "other accounts may write to it"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_may_write_is_refused(append, path, mode):
    append(1)
    path.parent.chmod(mode)
    assert problem(append, 2) == "other accounts may write to its directory"


def test_a_path_that_cannot_be_is_one_kind_of_error(append, path, tmp_path, key):
    path.parent.write_text("a file, not a directory")
    assert problem(append, 1)
    assert problem(anchors.last, path)
    assert problem(anchors.append, tmp_path / "x" / ("n" * 300), made(1), key.sign) == "File name too long"


AS_NOBODY = """
import os, sys
from pathlib import Path
from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
path = Path(sys.argv[1])
key = keys._key(b"k" * 32)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
anchor = anchors.Anchor(%r, 1, 9, "0" * 64, "0" * 64, "2026-01-01T00:00:00.000Z")
for call in (lambda: anchors.append(path, anchor, key.sign), lambda: anchors.last(path)):
    try:
        call()
    except anchors.AnchorFault as error:
        print(error.message)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another account")
def test_what_the_account_may_not_write_is_one_kind_of_error(append, path):
    append(1)
    for folder in list(path.parents)[:3]:
        folder.chmod(0o755)
    command = [sys.executable, "-c", AS_NOBODY % STORE, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"The anchor file {path} cannot be used: Permission denied."] * 2


# -- several processes -------------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
path, first, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
anchors.COMPACT_BYTES = int(sys.argv[4])
key = keys._key(b"k" * 32)
for n in range(first, 1200, step):
    hash_ = f"{n:064x}"
    anchors.append(path, anchors.Anchor(%r, 1, n, hash_, hash_, f"2026-01-{1 + n // 60:02d}T00:00:00.000Z"), key.sign)
"""


@pytest.mark.parametrize("compact", [1 << 20, 1 << 15])
def test_processes_append_whole_lines_forwards(path, key, compact):
    command = [sys.executable, "-c", WRITER % STORE, path]
    writers = [subprocess.Popen([*command, str(first), "3", str(compact)]) for first in range(3)]
    assert [one.wait(60) for one in writers] == [0, 0, 0]
    reading = anchors.read_all(path)
    found = [one.n for one in reading.anchors]
    assert reading.unreadable == []
    assert found == sorted(set(found))
    assert found[-1] == 1199
    assert all(anchors.verify_signature(one, key.public) for one in reading.anchors)


def test_a_lock_that_is_never_given_back_is_not_waited_for(append, path, key):
    append(1)
    with path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert "locked" in problem(anchors.append, path, made(2), key.sign, patience=0.05)
        # reading waits for nobody
        assert anchors.last(path).n == 1
    assert append(2)


def test_who_waited_for_a_file_that_was_thinned_meanwhile_writes_to_the_new_one(append, path):
    append(1)
    append(2)
    thinned = path.with_suffix(".new")
    thinned.write_bytes(path.read_bytes())
    thinned.chmod(0o600)
    with path.open("rb") as stream, ThreadPoolExecutor() as pool:
        fcntl.flock(stream, fcntl.LOCK_EX)
        waiting = pool.submit(append, 3)
        time.sleep(0.1)
        assert not waiting.done()
        thinned.rename(path)
        fcntl.flock(stream, fcntl.LOCK_UN)
        assert waiting.result(10)
    assert anchors.last(path).n == 3


def test_a_full_disk_leaves_the_file_as_it_was(append, path):
    append(1)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # the system writes what fits and stops: a torn line, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        assert problem(append, 2) == "the disk is full"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert append(2)
