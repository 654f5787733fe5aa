"""The anchor file does not grow for ever, and thinning it loses nothing that verification needs."""

from __future__ import annotations

import stat

import pytest

from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.anchor import Anchor


@pytest.fixture
def key(tmp_path):
    return keys.create_key(tmp_path / "keys", b"k" * 32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "anchors" / "store.jsonl"


def made(n, lineage=1, at="2026-01-01T00:00:00.000Z"):
    return Anchor("store", lineage, n, f"{n:064x}", f"{n:064x}", at)


@pytest.fixture
def append(path, key):
    return lambda n, **other: anchors.append(path, made(n, **other), key.sign)


def day(n, per_day=10):
    return f"2026-{1 + n // per_day // 28:02d}-{1 + n // per_day % 28:02d}T00:00:00.000Z"


def test_a_file_that_grows_is_thinned_to_the_first_and_last_of_each_day(append, path, key, monkeypatch):
    monkeypatch.setattr(anchors, "COMPACT_BYTES", 1 << 15)
    sizes = []
    for n in range(600):
        assert append(n, lineage=1 + n // 300, at=day(n))
        assert anchors.last(path).n == n
        sizes.append(path.stat().st_size)
    assert max(sizes) < sum(len(one.line()) for one in map(key.sign, map(made, range(600)))) / 2
    found = {one.n for one in anchors.read_all(path).anchors}
    # whatever was thinned out already has its day's first and last anchor
    assert found >= {n for n in range(600) if n % 10 in (0, 9)} | {599}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_clock_set_back_does_not_move_the_last_anchor(append, path, monkeypatch):
    append(1, at=day(0))
    append(2, at=day(99))
    append(3, at=day(0))
    append(4, at=day(99))
    monkeypatch.setattr(anchors, "COMPACT_BYTES", path.stat().st_size + 1)
    append(5, at=day(0))
    assert [one.n for one in anchors.read_all(path).anchors] == [1, 2, 4, 5]


def test_a_file_that_cannot_be_replaced_grows_on(append, path, monkeypatch):
    monkeypatch.setattr(anchors, "COMPACT_BYTES", 1000)
    (path.parent).mkdir(0o700)
    # a directory in the place of the new file stands for any reason why it cannot be written
    (path.parent / f".{path.name}.new").mkdir()
    assert all(append(n) for n in range(20))
    assert len(anchors.read_all(path).anchors) == 20


def test_a_left_over_of_an_interrupted_thinning_is_no_hindrance(append, path, monkeypatch, tmp_path):
    append(0)
    (path.parent / f".{path.name}.new").symlink_to(tmp_path / "victim")
    monkeypatch.setattr(anchors, "COMPACT_BYTES", 1000)
    assert all(append(n) for n in range(1, 20))
    assert len(anchors.read_all(path).anchors) < 20
    assert not (tmp_path / "victim").exists()
