"""The stand-alone verifier: true exports pass, and every attack on an export is named."""

from __future__ import annotations

import ast
import json
import re
import sys

import pytest
from audit_exports import PROGRAM, SIZES, STORE, Export, check, names, places, run_program

from usermgmt.kernel.audit import format as fmt
from usermgmt.kernel.audit.anchor import Anchor
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.audit.keys import create_key

# -- what it is --------------------------------------------------------------------------------------------------------


def test_it_imports_nothing_of_the_project_and_nothing_foreign_but_the_signature():
    found = set()
    for node in ast.walk(ast.parse(PROGRAM.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names_ = [node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            found |= {name.partition(".")[0] for name in names_}
    assert found - sys.stdlib_module_names == {"cryptography"}


def test_the_export_on_the_page_is_true(tmp_path):
    page = PROGRAM.with_name("audit-format.md").read_text()
    path = tmp_path / "export"
    path.write_text(re.findall("```ndjson\n(.*?)```", page, re.DOTALL)[0])
    key = json.loads(path.read_text().splitlines()[0])["public_key"]
    done = run_program(path, "--public-key", key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("true: 2 entries")
    assert run_program(path, "--public-key", "0" * 64).returncode == 12


@pytest.mark.parametrize("n", [0, *SIZES])
def test_a_true_export_is_true(tmp_path, n):
    one = Export(n, tmp_path).sign()
    path = one.write()
    assert check(path)[0] == 0
    code, lines, everything = check(path, "--public-key", one.key.public.hex(), *one.checkpoint())
    assert (code, lines) == (0, [f"true: {n} entries, 0 erased personal parts, root {one.header['root']}"])
    assert "note: " not in everything


def test_what_nothing_vouches_for_is_said(tmp_path):
    one = Export(20, tmp_path)
    assert "nothing signed vouches for the entries from 1 on" in check(one.write())[2]
    old = Export(20, tmp_path)
    old.header["anchor"] = old.key.sign(
        Anchor(STORE, 1, 0, fmt.genesis(STORE).hex(), Frontier().root().hex(), "2026-01-01T00:00:00.000Z")
    ).as_dict()
    old.header["public_key"] = old.key.public.hex()
    code, _lines, everything = check(old.write())
    assert code == 0
    assert "nothing signed vouches for the entries from 1 on" in everything
    assert "key that the export names" in everything


# -- attacks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("field", ["at", "change_id", "actor", "via", "action", "target", "outcome", "body", "commits"])
def test_an_edited_field_is_named_once(tmp_path, n, field):
    for seq in places(n):
        one = Export(n, tmp_path)
        one.entries[seq - 1][field] += "x"
        code, lines, _all = check(one.write())
        assert (code, names(lines)) == (12, [f"entry {seq}"])


@pytest.mark.parametrize("n", SIZES)
def test_an_edited_hash_is_named_once(tmp_path, n):
    for seq in places(n):
        one = Export(n, tmp_path)
        one.entries[seq - 1]["hash"] = "0" * 64
        code, lines, _all = check(one.write())
        assert (code, names(lines)) == (12, [f"entry {seq}"])


@pytest.mark.parametrize("n", [2, 255, 256, 10_000])
def test_missing_and_exchanged_entries_are_named(tmp_path, n):
    one = Export(n, tmp_path)
    del one.entries[n // 2 - 1]
    code, lines, _all = check(one.write())
    assert (code, names(lines)) == (12, [f"entries {n // 2} to {n // 2}"])
    two = Export(n, tmp_path)
    two.entries[n // 2 - 1 : n // 2 + 1] = two.entries[n // 2 - 1 : n // 2 + 1][::-1]
    code, lines, _all = check(two.write())
    assert code == 12
    assert names(lines)[:2] == [f"entries {n // 2} to {n // 2}", f"entry {n // 2}"]


@pytest.mark.parametrize("n", SIZES)
def test_an_export_that_ends_early_is_not_true(tmp_path, n):
    one = Export(n, tmp_path)
    one.entries.pop()
    code, lines, _all = check(one.write())
    assert (code, lines) == (12, [f"entries {n} to {n}, which the header states, are missing"])


def test_an_export_that_begins_later_is_refused(tmp_path):
    one = Export(20, tmp_path)
    del one.entries[:4]
    code, lines, _all = check(one.write())
    assert (code, names(lines)) == (12, ["entries 1 to 4"])


@pytest.mark.parametrize("n", SIZES)
def test_a_log_hashed_anew_is_betrayed_by_checkpoint_and_anchor(tmp_path, n):
    true = Export(n, tmp_path).sign()
    checkpoint, anchor = true.checkpoint(), true.header["anchor"]
    forged = Export(n, tmp_path)
    forged.entries[n // 2]["body"] = "{}"
    forged.seal()
    assert check(forged.write())[0] == 0
    code, lines, _all = check(forged.write(), *checkpoint)
    assert code == 12
    assert "checkpoint states another log" in "".join(lines)
    forged.header |= {"anchor": anchor, "public_key": true.key.public.hex()}
    code, lines, _all = check(forged.write())
    assert code == 12
    assert f"entry {n}: the anchor states another log" in "".join(lines)


def test_a_forger_with_a_key_of_their_own_is_betrayed_by_the_public_key(tmp_path):
    true = Export(9, tmp_path)
    forged = Export(9, tmp_path)
    forged.key = create_key(tmp_path / "forger", b"f" * 32)
    forged.entries[3]["body"] = "{}"
    forged.seal()
    assert check(forged.sign().write())[0] == 0
    code, lines, _all = check(forged.write(), "--public-key", true.key.public.hex())
    assert (code, lines) == (12, ["the signature of the anchor is not by the public key"])
    forged.header |= {"anchor": None}
    code, lines, _all = check(forged.write(), "--public-key", true.key.public.hex())
    assert (code, lines) == (12, ["there is no anchor that the public key could confirm"])


def test_a_log_cut_off_with_its_header_is_betrayed_by_the_checkpoint(tmp_path):
    one = Export(20, tmp_path)
    checkpoint = one.checkpoint()
    del one.entries[18:]
    one.n = 18
    one.seal()
    code, lines, _all = check(one.write(), *checkpoint)
    assert (code, lines) == (12, [
        "the signature of the checkpoint is not by the public key",
        "entries 19 to 20, which the checkpoint states, are missing",
    ])  # fmt: skip
    one.sign()
    assert check(one.write(), *checkpoint)[1] == ["entries 19 to 20, which the checkpoint states, are missing"]


def test_lineages_and_stores_are_told_apart(tmp_path):
    one = Export(9, tmp_path).sign()
    for other, words in [
        ({"lineage": 2}, "the checkpoint is of the later lineage 2: the export is of an older store"),
        ({"store": "another"}, "the checkpoint belongs to another store, another"),
    ]:
        code, lines, _all = check(one.write(), *one.checkpoint(**other))
        assert (code, lines) == (12, [words])
    one.header["lineage"] = 2
    assert check(one.write(), *one.checkpoint(lineage=1))[0] == 0
    code, lines, _all = check(one.write(), *one.checkpoint(lineage=1, hash="0" * 64))
    assert code == 12
    assert lines[0].endswith("it was rewritten; the store was restored from a backup since")


@pytest.mark.parametrize("field", ["n", "hash", "root", "store"])
def test_a_header_that_was_edited_is_found(tmp_path, field):
    one = Export(9, tmp_path)
    one.header[field] = 8 if field == "n" else "0" * 64
    assert check(one.write())[0] == 12


def test_a_header_of_an_earlier_state_is_found(tmp_path):
    short = Export(8, tmp_path)
    one = Export(9, tmp_path)
    one.header = short.header
    code, lines, _all = check(one.write())
    assert (code, lines) == (12, ["entry 9: it stands after the last one that the header states"])


@pytest.mark.parametrize("field", ["n", "hash", "root", "at", "lineage", "key", "sig", "store"])
def test_an_anchor_that_was_edited_is_found(tmp_path, field):
    one = Export(9, tmp_path).sign()
    value = one.header["anchor"][field]
    one.header["anchor"][field] = value + 1 if isinstance(value, int) else "0" * len(value)
    code, lines, _all = check(one.write())
    assert code == 12
    assert all("the anchor" in line for line in lines)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("field", ["part", "subject", "salt", "body"])
def test_an_edited_part_is_named(tmp_path, n, field):
    for seq in places(n):
        one = Export(n, tmp_path)
        one.entries[seq - 1]["parts"][0][field] = {"part": 1, "salt": "0" * 64}.get(field, "x")
        code, lines, _all = check(one.write())
        assert (code, set(names(lines))) == (12, {f"entry {seq}"})


def test_a_salt_is_exact_to_the_letter(tmp_path):
    for forge in (str.upper, lambda salt: salt[:2] + " " + salt[2:], lambda salt: salt[:-2], lambda _salt: ""):
        one = Export(9, tmp_path)
        one.entries[4]["parts"][0]["salt"] = forge(one.entries[4]["parts"][0]["salt"])
        assert names(check(one.write())[1]) == ["entry 5"]


def test_salts_exchanged_and_parts_added_are_named(tmp_path):
    one = Export(9, tmp_path)
    two, three = one.entries[1]["parts"][0], one.entries[2]["parts"][0]
    two["salt"], three["salt"] = three["salt"], two["salt"]
    one.entries[3]["parts"].append(dict(one.entries[3]["parts"][0]))
    one.entries[6]["parts"].append(dict(one.entries[3]["parts"][0]))
    code, lines, _all = check(one.write())
    assert (code, names(lines)) == (12, ["entry 2", "entry 3", "entry 4", "entry 7"])


ERASED = {"action": fmt.ERASURE_ACTION, "target": "user:3", "parts": []}


@pytest.mark.parametrize(
    ("at", "erasure", "excused"),
    [
        (20, ERASED, True),
        (20, ERASED | {"target": "user:4", "body": '{"subjects":["user:3"]}'}, True),
        (20, ERASED | {"target": "user:4"}, False),
        (20, ERASED | {"outcome": "denied"}, False),
        (20, ERASED | {"action": "privacy.export"}, False),
        (2, ERASED, False),
        (3, ERASED, False),
    ],
)
def test_a_deleted_part_needs_a_later_erasure(tmp_path, at, erasure, excused):
    one = Export(30, tmp_path, {at: erasure} if at != 3 else {3: {k: v for k, v in erasure.items() if k != "parts"}})
    one.entries[2]["parts"] = []
    code, lines, _all = check(one.write())
    if excused:
        assert (code, "1 erased personal parts" in lines[0]) == (0, True)
    else:
        assert (code, names(lines)) == (12, ["entry 3"])


def test_an_entry_says_whom_its_parts_are_about(tmp_path):
    for body, code in [('{"parts":["user:3"]}', 0), ('{"parts":[]}', 12)]:
        one = Export(30, tmp_path, {5: {"body": body}, 20: ERASED})
        one.entries[4]["parts"] = []
        assert check(one.write())[0] == code
