"""The stand-alone verifier on archives and on the exports of pruned stores, honest and forged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audit_exports import STORE, Export, check, names
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usermgmt.kernel.audit.base import Base, signed_bytes
from usermgmt.kernel.audit.format import PARTIAL_FORMAT, genesis
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.audit.keys import key_id


class Cut:
    """A log of six entries whose first two are in an archive; the last entry is the prune that says so."""

    def __init__(self, folder, **stated):
        self.folder = folder
        whole = Export(6, folder)
        tree = Frontier()
        tree.extend(bytes.fromhex(entry["hash"]) for entry in whole.entries[:2])
        self.base = Base(2, whole.entries[1]["hash"], tree.dump())
        facts = self.base.stated(STORE)._asdict() | {"archive": {"sha256": "0" * 64}}
        facts["key"] = key_id(whole.key.public)
        facts["sig"] = whole.key.signature(signed_bytes(self.base.stated(STORE), "0" * 64))
        whole.entries[5] |= {"action": "audit.prune", "target": "store", "body": json.dumps(facts | stated)}
        whole.seal()
        self.export = whole.sign()
        self.key = ["--public-key", whole.key.public.hex()]
        self.header = self.export.header | {"format": PARTIAL_FORMAT, "base": self.base.header(), "archive": None}
        self.first = self.header | {
            "n": 2, "hash": self.base.hash, "root": tree.root().hex(), "archive": {"erased": []}, "anchor": None,
            "base": {"n": 0, "hash": genesis(STORE).hex(), "frontier": ""},
        }  # fmt: skip

    def write(self):
        """Write the archive and the export that goes on after it."""
        paths = []
        files = (("a", self.first, self.export.entries[:2]), ("b", self.header, self.export.entries[2:]))
        for name, header, entries in files:
            path = self.folder / f"{name}.ndjson"
            path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in [header, *entries]))
            paths.append(str(path))
        return paths


def test_an_archive_and_what_follows_hold_alone_and_together(tmp_path):
    cut = Cut(tmp_path)
    archive, export = cut.write()
    assert check(archive)[0] == 0
    assert check(export, *cut.key)[0] == 0
    code, _lines, told = check(archive, export, *cut.key)
    assert (code, "true: 6 entries" in told) == (0, True)
    assert check(export, archive)[0] == 12


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"n": 1}, "up to 1 were removed, but the log begins elsewhere"),
        ({"n": None}, "up to None were removed"),
        ({"hash": "0" * 64}, "begins elsewhere"),
        ({"root": "0" * 64}, "begins elsewhere"),
        ({"store": "other"}, "begins elsewhere"),
        ({"archive": {"sha256": "1" * 64}}, "not signed by the public key"),
        ({"archive": None}, "not signed by the public key"),
        ({"sig": "0" * 128}, "not signed by the public key"),
        ({"sig": None}, "not signed by the public key"),
        ({"key": "0" * 16}, "not signed by the public key"),
    ],
)
def test_the_prune_has_to_state_the_base_and_be_signed(tmp_path, stated, told):
    cut = Cut(tmp_path, **stated)
    archive, export = cut.write()
    for paths in ([export], [archive, export]):
        code, lines, _all = check(*paths, *cut.key)
        assert code == 12
        assert names(lines[:1]) == ["entry 6"]
        assert told in lines[0]


@pytest.mark.parametrize(
    "change",
    [
        {"base": {"n": 0, "hash": "0" * 64, "frontier": ""}},
        {"base": {"n": 3, "hash": "0" * 64, "frontier": f"{'0' * 64},{'0' * 64}"}},
        {"base": {"n": -2, "hash": "0" * 64, "frontier": "0" * 64}},
        {"base": {"n": 2, "hash": "x", "frontier": "0" * 64}},
        {"base": {"n": 2, "hash": "0" * 64, "frontier": ""}},
        {"base": {"n": True, "hash": "0" * 64, "frontier": "0" * 64}},
        {"base": None},
        {"base": {}},
        {"archive": {}},
        {"archive": {"erased": [1]}},
        {"archive": "x"},
        {"format": "usermgmt/audit-export/1"},
        {"public_key": "x"},
        {"n": 1, "anchor": None},
    ],
)
def test_a_forged_header_is_refused(tmp_path, change):
    cut = Cut(tmp_path)
    cut.header |= change
    archive, export = cut.write()
    assert check(export, *(cut.key if "public_key" not in change else []))[0] == 12
    assert check(archive, export)[0] == 12


def test_no_entry_says_that_anything_was_removed(tmp_path):
    cut = Cut(tmp_path)
    cut.export.entries[5] |= {"outcome": "failed"}
    cut.export.seal()
    cut.header |= {name: cut.export.header[name] for name in ("hash", "root")} | {"anchor": None}
    _archive, export = cut.write()
    code, lines, _all = check(export)
    assert (code, lines[0]) == (12, "entries 1 to 2 are missing, and no entry says that they were removed")
    # calling it an archive helps, but the reader is told
    cut.header["archive"] = {"erased": []}
    _archive, export = cut.write()
    code, _lines, told = check(export)
    assert (code, "only the archive before can vouch for what entry 3 hangs on" in told) == (0, True)
    assert "true: entries 3 to 6" in told


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_changed_byte_goes_unnoticed(tmp_path, data):
    cut = Cut(tmp_path)
    paths = cut.write()
    path = Path(data.draw(st.sampled_from(paths)))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    after = before[:place] + bytes([data.draw(st.integers(0, 255))]) + before[place + 1 :]
    path.write_bytes(after)
    code, _lines, _all = check(*paths, *cut.key)
    assert code == 12 or _says_the_same(before, after)


def _says_the_same(before, after):
    """Tell whether only what the exporter alone says differs: times, the lineage, whose erasures are to come."""
    try:
        old, new = ([json.loads(line) for line in text.splitlines()] for text in (before, after))
    except ValueError:
        return False
    for header in (old[0], new[0]):
        for name in ("at", "public_key", "lineage", "anchor", "archive"):
            header.pop(name, None)
    return old == new
