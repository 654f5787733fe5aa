"""The key that signs anchors: made private, read back, refused where others could have read it."""

from __future__ import annotations

import os
import stat

import pytest

from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.anchor import Anchor
from usermgmt.kernel.audit.keys import KeyFault
from usermgmt.kernel.errors import FileExists

ANCHOR = Anchor("store", 1, 7, "a" * 64, "b" * 64, "2026-01-01T00:00:00.000Z")


@pytest.fixture
def key(tmp_path):
    return keys.create_key(tmp_path / "keys", b"k" * 32)


def test_keys_are_private_and_read_back(tmp_path, key):
    folder = tmp_path / "keys"
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, folder / "anchor.key")] == [0o700, 0o600]
    assert (folder / "anchor.key").read_text() == (b"k" * 32).hex() + "\n"
    assert keys.load_public_key(folder) == keys.load_key(folder).public == key.public
    assert keys.load_key(folder).sign(ANCHOR) == key.sign(ANCHOR)
    assert (b"k" * 32).hex() not in repr(key)


def test_the_private_key_is_private_under_any_umask(tmp_path):
    before = os.umask(0)
    try:
        keys.create_key(tmp_path / "open")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / "open" / one).stat().st_mode) for one in (".", "anchor.key")]
    assert modes == [0o700, 0o600]


def test_two_keys_are_two_keys(tmp_path):
    assert keys.create_key(tmp_path / "a").public != keys.create_key(tmp_path / "b").public


def test_a_key_that_is_there_is_left_alone(tmp_path, key):
    with pytest.raises(FileExists):
        keys.create_key(tmp_path / "keys")
    (tmp_path / "keys" / "anchor.pub").unlink()
    with pytest.raises(FileExists):
        keys.create_key(tmp_path / "keys")
    assert keys.load_key(tmp_path / "keys").public == key.public


def test_a_planted_link_receives_no_key(tmp_path):
    for name in ("anchor.key", "anchor.pub"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).symlink_to(tmp_path / "victim")
        with pytest.raises(FileExists):
            keys.create_key(folder)
        assert not (tmp_path / "victim").exists()
        assert not (folder / "anchor.key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606, 0o601])
def test_a_key_that_others_may_read_is_refused(tmp_path, key, mode):
    (tmp_path / "keys" / "anchor.key").chmod(mode)
    with pytest.raises(KeyFault) as caught:
        keys.load_key(tmp_path / "keys")
    assert caught.value.advice == f"chmod 600 {tmp_path / 'keys' / 'anchor.key'}"


@pytest.mark.parametrize("content", [b"", b"\n", b"ab" * 31, b"ab" * 33, b"zz" * 32, b"\xff" * 64])
def test_a_damaged_key_is_refused(tmp_path, key, content):
    (tmp_path / "keys" / "anchor.key").write_bytes(content)
    with pytest.raises(KeyFault):
        keys.load_key(tmp_path / "keys")


def test_a_key_that_is_no_file_is_refused(tmp_path, key):
    place, moved = tmp_path / "keys" / "anchor.key", tmp_path / "moved"
    place.rename(moved)
    for plant in (lambda: place.symlink_to(moved), lambda: os.mkfifo(place, 0o600), lambda: place.mkdir(0o700)):
        plant()
        with pytest.raises(KeyFault):
            keys.load_key(tmp_path / "keys")
        place.rmdir() if place.is_dir() else place.unlink()
    with pytest.raises(KeyFault):
        keys.load_key(tmp_path / "keys")


def test_a_remembered_key_is_read_again_when_it_changes(tmp_path, key):
    folder = tmp_path / "keys"
    assert keys.current_key(folder) is keys.current_key(folder)
    (folder / "anchor.key").chmod(0o644)
    with pytest.raises(KeyFault):
        keys.current_key(folder)
    (folder / "anchor.key").unlink()
    with pytest.raises(KeyFault):
        keys.current_key(folder)
    (folder / "anchor.pub").unlink()
    renewed = keys.create_key(folder, b"n" * 32)
    assert keys.current_key(folder).public == renewed.public != key.public
