"""Files that the program writes: private, whole or absent, never through a planted link."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from usermgmt.kernel.errors import DiskFull, FileExists, FileMissing, FileUnreadable
from usermgmt.kernel.files import failure, private_directory, sync_directory, whole_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_there_at_the_end_private_and_whole(tmp_path):
    path = tmp_path / "out"
    with whole_file(path) as stream:
        stream.write(b"data")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["out"]


def test_a_file_whose_making_failed_leaves_nothing(tmp_path):
    def fail():
        with whole_file(tmp_path / "out") as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(tmp_path) == []


def test_what_is_there_is_left_alone_unless_it_is_to_be_replaced(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(FileExists), whole_file(path):
        pytest.fail("the file is there already")
    assert path.read_bytes() == b"old"
    with whole_file(path, replace=True) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_who_was_faster_keeps_the_name(tmp_path):
    path = tmp_path / "out"

    def late():
        with whole_file(path) as stream:
            stream.write(b"late")
            path.write_bytes(b"first")

    with pytest.raises(FileExists):
        late()
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_planted_link_is_not_followed(tmp_path, replace):
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    link = tmp_path / "link"
    link.symlink_to(target)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for path in (link, tmp_path / "dangling"):
        with pytest.raises(FileExists), whole_file(path, replace=replace):
            pytest.fail("it is a link")
    assert target.read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileMissing) as caught, whole_file(tmp_path / "none" / "out"):
        pytest.fail("there is no such folder")
    assert caught.value.facts["path"] == tmp_path / "none"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EFBIG, DiskFull),
        (errno.EEXIST, FileExists),
        (errno.ENOENT, FileMissing),
        (errno.EACCES, FileUnreadable),
        (errno.EIO, FileUnreadable),
    ],
)
def test_what_the_system_says_is_said_in_our_words(tmp_path, number, kind):
    assert type(failure(tmp_path / "x", OSError(number, os.strerror(number)))) is kind


def test_a_folder_is_private_and_may_be_there(tmp_path):
    folder = tmp_path / "keys" / "inner"
    private_directory(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    private_directory(folder)
    sync_directory(folder)
    (tmp_path / "file").touch()
    with pytest.raises(FileExists):
        private_directory(tmp_path / "file")
    with pytest.raises(FileUnreadable):
        private_directory(tmp_path / "file" / "inner")
