"""Exports to attack, and the stand-alone verifier to try on them; shared by the tests beside it."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from hashlib import sha256
from pathlib import Path

import usermgmt
from usermgmt.kernel.audit import format as fmt
from usermgmt.kernel.audit.anchor import Anchor
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.audit.keys import create_key, load_key

PROGRAM = Path(usermgmt.__file__).parent / "docs" / "verify_audit.py"
STORE = "0197b0a0-0000-7000-8000-000000000001"
SIZES = [1, 2, 255, 256, 10_000]

spec = importlib.util.spec_from_file_location("verify_audit", PROGRAM)
verify_audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify_audit)


class Export:
    """An export as objects: entry ``i`` is about ``user:i``; every seventh has no part."""

    def __init__(self, n, folder, special=()):
        self.n, self.folder = n, folder
        keys = folder / "keys"
        self.key = load_key(keys) if keys.exists() else create_key(keys, b"k" * 32)
        self.entries = []
        for seq in range(1, n + 1):
            part = {"part": 0, "subject": f"user:{seq}", "salt": sha256(b"%d" % seq).hexdigest(), "body": f'"李{seq}"'}
            entry = {
                "seq": seq, "at": "2026-01-01T00:00:00.000Z", "change_id": "c", "actor": "owner", "via": "{}",
                "action": "user.set", "target": f"user:{seq}", "outcome": "ok", "body": f'{{"名":{seq}}}',
                "commits": "", "hash": "", "parts": [part] if seq % 7 else [],
            }  # fmt: skip
            self.entries.append(entry | dict(special).get(seq, {}))
        for entry in self.entries:
            entry["commits"] = ",".join(self.commitment(part) for part in entry["parts"])
        self.seal()

    @staticmethod
    def commitment(part):
        return fmt.commitment(bytes.fromhex(part["salt"]), part["subject"], part["body"])

    def seal(self):
        """Hash the chain anew, and state it in the header, as a forger would too."""
        rows = [tuple(entry.values())[1:10] for entry in self.entries]
        tree, prev = Frontier(), fmt.genesis(STORE)
        for entry, digest in zip(self.entries, fmt.chain(prev, 1, rows), strict=True):
            entry["hash"], prev = digest.hex(), digest
            tree.append(digest)
        self.header = {
            "format": fmt.EXPORT_FORMAT, "store": STORE, "lineage": 1, "n": self.n, "hash": prev.hex(),
            "root": tree.root().hex(), "at": "2026-01-01T00:00:01.000Z", "public_key": "", "anchor": None,
        }  # fmt: skip

    def anchor(self, **other):
        facts = {name: self.header[name] for name in ("store", "lineage", "n", "hash", "root", "at")}
        return self.key.sign(Anchor(**(facts | other)))

    def sign(self, **other):
        self.header |= {"anchor": self.anchor(**other).as_dict(), "public_key": self.key.public.hex()}
        return self

    def write(self, name="export.ndjson"):
        path = self.folder / name
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in [self.header, *self.entries]))
        return str(path)

    def checkpoint(self, **other):
        path = self.folder / "checkpoint.json"
        path.write_bytes(self.anchor(**other).line())
        return ["--checkpoint", str(path)]


def check(path, *options):
    """Run the verifier; return its exit code, the problems (or the verdict, if that is all), and all it printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = verify_audit.main([path, *options])
        except SystemExit as stop:
            code = stop.code
    lines = [line for line in out.getvalue().splitlines() if not line.startswith("note: ")]
    assert (lines[-1:] or [""])[0].startswith({0: "true: ", 12: "NOT TRUE: "}.get(code, ""))
    return code, lines[:-1] if len(lines) > 1 else lines, out.getvalue() + err.getvalue()


def places(n):
    """Entries to attack: the first, one in the middle and the last; in a long export one is enough."""
    return {n // 2} if n > 1000 else {1, n // 2 or 1, n}


def names(lines):
    return [re.match(r"entr(?:y|ies) \d+(?: to \d+)?|the \w+|line \d+", line)[0] for line in lines]


def run_program(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-I", PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60, **options
    )
