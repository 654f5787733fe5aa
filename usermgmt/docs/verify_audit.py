# ruff: noqa: INP001, T201, D102, D103 - a program on its own, which prints, and whose names say what they do
"""Check an export of a usermgmt audit log, with Python (3.11 or later) and this one file.

    python verify_audit.py [ARCHIVE...] EXPORT [--checkpoint FILE] [--public-key HEX]

Exit codes: 0 the export is true, 12 it is not (one line for each problem), 2 wrong usage, 3 a file cannot be opened.

This program shares no code with usermgmt: it was written from the page audit-format.md, for readers who would rather
believe neither. It reads the export once, line by line. An export is the whole log, or goes on where old entries were
removed to archives, if an entry in it says so: one that begins later by itself is refused, since nobody can tell what
it hangs on. An archive is checked in the same way, alone or with those before it and what comes after, oldest first.
Signatures are checked where the package `cryptography` is installed; all else needs the standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence  # noqa: TC003 - one import less to explain
from typing import Any, BinaryIO

Object = dict[str, Any]
TEXTS = ("at", "change_id", "actor", "via", "action", "target", "outcome", "body", "commits")
CLAIM = {"store": str, "lineage": int, "n": int, "hash": str, "root": str, "at": str}
HEADER = {**CLAIM, "format": str, "public_key": str, "anchor": object}
FORMATS = {
    "usermgmt/audit-export/1": HEADER,
    "usermgmt/audit-export/2": {**HEADER, "base": dict, "archive": object},
}
BASE = {"n": int, "hash": str, "frontier": str}
ANCHOR = {**CLAIM, "key": str, "sig": str}
ENTRY = {**dict.fromkeys(TEXTS, str), "seq": int, "hash": str, "parts": list}
PART = {"part": int, "subject": str, "salt": str, "body": str}
HEX64 = re.compile("[0-9a-f]{64}")
LINE_LIMIT = 16 << 20
SHOWN = 100


class Damaged(Exception):
    """The export cannot be read any further; the message says where and why."""


# -- the formulas of audit-format.md ----------------------------------------------------------------------------------


def sha(*pieces: bytes) -> bytes:
    return hashlib.sha256(b"".join(pieces)).digest()


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def genesis(store: str) -> str:
    return sha(b"usermgmt/audit/v1/genesis\0", store.encode()).hex()


def entry_hash(entry: Object, prev: bytes) -> str:
    fields = [str(entry["seq"]).encode()] + [entry[name].encode() for name in TEXTS]
    return sha(b"usermgmt/audit/v1\0", *[u32(len(field)) for field in fields], *fields, prev).hex()


def commitment(part: Object) -> str:
    if not HEX64.fullmatch(part["salt"]):
        return "no commitment"
    salt, subject, body = bytes.fromhex(part["salt"]), part["subject"].encode(), part["body"].encode()
    return sha(b"usermgmt/audit-pii/v1\0", salt, u32(len(subject)), subject, body).hex()


class Tree:
    """The Merkle tree of RFC 6962 section 2.1, kept as the roots of its full subtrees."""

    def __init__(self, n: int = 0, frontier: str = "") -> None:
        self.n = n
        self.nodes = [bytes.fromhex(node) for node in frontier.split(",") if node]

    def frontier(self) -> str:
        return ",".join(node.hex() for node in self.nodes)

    def add(self, leaf: bytes) -> None:
        node, size = sha(b"\0", leaf), self.n
        while size % 2:
            node, size = sha(b"\1", self.nodes.pop(), node), size // 2
        self.nodes.append(node)
        self.n += 1

    def root(self) -> str:
        root = self.nodes[-1] if self.nodes else sha()
        for node in self.nodes[-2::-1]:
            root = sha(b"\1", node, root)
        return root.hex()


def signature_holds(facts: Object, prefix: bytes, key: str, sig: str, public_key: str) -> bool:
    """Tell whether the facts are signed by the key (Ed25519); raises ImportError where this Python cannot tell."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        raw = bytes.fromhex(public_key)
        Ed25519PublicKey.from_public_bytes(raw).verify(bytes.fromhex(sig), prefix + text.encode())
    except (InvalidSignature, ValueError):
        return False
    return key == key_id(public_key)


def key_id(public_key: str) -> str:
    return sha(bytes.fromhex(public_key)).hex()[:16] if HEX64.fullmatch(public_key) else ""


# -- reading ----------------------------------------------------------------------------------------------------------


def parse(line: bytes) -> Any:
    """Read one JSON text; raises ValueError, also for a key that stands twice and for text that has no bytes."""

    def once(pairs: list[tuple[str, Any]]) -> Object:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    try:
        found = json.loads(line.decode(), object_pairs_hook=once)
        if b"\\u" in line:
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def fits(found: Any, shape: dict[str, type]) -> bool:
    """Tell whether the object has exactly these keys: one more, for which nothing vouches, could mislead a reader."""
    return (
        isinstance(found, dict)
        and set(found) == set(shape)
        and all(kind is object or type(found[name]) is kind for name, kind in shape.items())
    )


def is_header(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and fits(found, FORMATS.get(str(found.get("format")), {"format": int}))
        and (found["anchor"] is None or fits(found["anchor"], ANCHOR))
        and is_base(base_of(found))
        and (found.get("archive") is None or is_archive(found["archive"]))
    )


def base_of(header: Object) -> Object:
    """Return what the entries hang on: in format 1 that is nothing, so the hash before entry 1."""
    return dict(header.get("base", {"n": 0, "hash": genesis(header["store"]), "frontier": ""}))


def is_base(found: Object) -> bool:
    nodes = found["frontier"].split(",") if fits(found, BASE) and found["frontier"] else []
    return (
        fits(found, BASE)
        and bool(HEX64.fullmatch(found["hash"]))
        and found["n"] >= 0
        and len(nodes) == found["n"].bit_count()
        and all(map(HEX64.fullmatch, nodes))
    )


def is_archive(found: Any) -> bool:
    return fits(found, {"erased": list}) and all(isinstance(subject, str) for subject in found["erased"])


def is_entry(found: Any) -> bool:
    return (
        fits(found, ENTRY) and bool(HEX64.fullmatch(found["hash"])) and all(fits(part, PART) for part in found["parts"])
    )


def objects(stream: BinaryIO) -> Iterator[Object]:
    """Yield the header, then the entries; raises Damaged."""
    number = 1
    while (line := stream.readline(LINE_LIMIT)) or number == 1:
        try:
            found = parse(line)
        except ValueError:
            raise Damaged(f"line {number} is not whole, sound JSON: the file is cut off or damaged there") from None
        if not (is_entry(found) if number > 1 else is_header(found)):
            what = "an entry" if number > 1 else "the header"
            raise Damaged(f"line {number} is not {what} of an audit export of format 1 or 2")
        yield found
        number += 1


# -- checking ---------------------------------------------------------------------------------------------------------


class Check:
    """Follows the chain, entry by entry, and says what does not hold."""

    def __init__(self, headers: list[Object], public_key: str) -> None:
        self.header, self.public_key = headers[-1], public_key
        self.key = public_key or self.header["public_key"]
        self.pruned: Object = {}
        self.claims: list[tuple[str, Object]] = []
        base = base_of(headers[0])
        self.first = self.last = base["n"]
        # what the next entry may follow: one hash; two where an entry did not hold; none after a gap
        self.prevs = [bytes.fromhex(base["hash"])]
        self.tree, self.whole = Tree(base["n"], base["frontier"]), True
        # where the log begins, as the last prune on it says; without one it begins with entry 1
        store = self.header["store"]
        self.begins: tuple[Any, ...] = (0, store, 0, genesis(store), Tree().root())
        self.lost: dict[str, list[tuple[int, int]]] = {}
        self.erased = self.problems = 0

    def begin_file(self, header: Object) -> None:
        """Go on with the next file, which has to begin where the one before ended."""
        base = base_of(header)
        here = {"n": self.last, "hash": self.prevs[0].hex() if self.prevs else "", "frontier": self.tree.frontier()}
        if header["store"] != self.header["store"]:
            raise Damaged(f"the file from entry {base['n'] + 1} on is of another store")
        if base != here:
            raise Damaged(f"the file from entry {base['n'] + 1} on does not go on where the one before ends")
        self.claims.append(("header", header))
        if header["anchor"] is not None:
            self.claim("anchor", header["anchor"])

    def end_file(self, header: Object) -> None:
        """Judge where a file ends, and whether anything says that the log begins where the file does."""
        if header["n"] < self.last:
            self.problem(f"entry {header['n'] + 1}: it stands after the last one that the header states")
        base, (seq, _store, n, *_rest) = base_of(header), self.begins
        if self.begins[1:] == (header["store"], base["n"], base["hash"], Tree(base["n"], base["frontier"]).root()):
            if base["n"] > 0:
                self.check_prune(seq)
            return
        if header.get("archive"):
            if base["n"] == self.first > 0:
                print(f"note: only the archive before can vouch for what entry {self.first + 1} hangs on")
        elif seq:
            self.problem(f"entry {seq}: it says that the entries up to {n} were removed, but the log begins elsewhere")
        else:
            self.problem(f"entries 1 to {base['n']} are missing, and no entry says that they were removed")

    def check_prune(self, seq: int) -> None:
        """Make sure that who pruned the log had the store's key, and not only a way to write into the store."""
        facts, archive = self.pruned, self.pruned.get("archive")
        stated = {name: facts.get(name) for name in ("store", "n", "hash", "root")}
        stated["sha256"] = archive.get("sha256") if isinstance(archive, dict) else None
        key, sig = str(facts.get("key")), str(facts.get("sig"))
        if not self.public_key and self.key and key != key_id(self.key):
            print(f"note: the prune in entry {seq} is signed by another key than the export names")
            return
        try:
            if not signature_holds(stated, b"usermgmt/audit-prune/v1\0", key, sig, self.key):
                self.problem(f"entry {seq}: the prune is not signed by the public key")
        except ImportError:
            print(f"note: signature not checked (entry {seq}): the package cryptography is not installed")

    def problem(self, text: str) -> None:
        self.problems += 1
        if self.problems <= SHOWN:
            print(ascii(text)[1:-1])  # so that nothing in a forged export commands the reader's terminal

    def claim(self, name: str, anchor: Object) -> None:
        """Take what a signed anchor says of the log at its size, to hold the log against it when it gets there."""
        if anchor["store"] != self.header["store"]:
            self.problem(f"the {name} belongs to another store, {anchor['store']}")
            return
        if anchor["lineage"] > self.header["lineage"]:
            self.problem(f"the {name} is of the later lineage {anchor['lineage']}: the export is of an older store")
        self.claims.append((name, anchor))
        try:
            facts = {one: value for one, value in anchor.items() if one != "sig"}
            if not signature_holds(facts, b"usermgmt/anchor/v1\0", anchor["key"], anchor["sig"], self.key):
                self.problem(f"the signature of the {name} is not by the public key")
            elif not self.public_key:
                print(f"note: the {name} is signed by the key that the export names; only you can say whose that is")
        except ImportError:
            print(f"note: signature not checked ({name}): the package cryptography is not installed")
            if self.public_key:
                self.problem("the signature cannot be checked with the public key")

    def entry(self, entry: Object) -> None:
        seq, awaited = entry["seq"], self.last + 1
        if seq < awaited:
            self.problem(f"entry {seq}: it stands where entry {awaited} belongs")
            return
        if seq > awaited:
            self.problem(f"entries {awaited} to {seq - 1} are missing, and without them entry {seq} cannot be checked")
            self.prevs, self.whole = [], False
        self.last = seq
        stored = bytes.fromhex(entry["hash"])
        self.tree.add(stored)
        if not self.prevs or any(entry_hash(entry, prev) == entry["hash"] for prev in self.prevs):
            self.prevs = [stored]
            self.erase(entry)
            self.prune(entry)
            self.parts(entry)
        else:
            self.problem(
                f"entry {seq}: its fields do not give its hash: it, or its hash, or the one before was altered"
            )
            self.prevs, self.whole = [stored, bytes.fromhex(entry_hash(entry, self.prevs[0]))], False
        self.compare()

    def compare(self) -> None:
        for name, claim in self.claims:
            if claim["n"] == self.last and not self.agrees(claim):
                text = f"entry {self.last}: the {name} states another log up to here: it was rewritten"
                self.problem(text + self.since(claim))

    def since(self, claim: Object) -> str:
        return "; the store was restored from a backup since" if claim["lineage"] < self.header["lineage"] else ""

    def agrees(self, claim: Object) -> bool:
        known = not self.prevs or claim["hash"] in [prev.hex() for prev in self.prevs]
        return known and (not self.whole or bool(claim["root"] == self.tree.root()))

    def erase(self, entry: Object) -> None:
        if entry["action"] == "privacy.erased" and entry["outcome"] == "ok":
            for subject in [entry["target"], *body_list(entry, "subjects")]:
                self.erased += len(self.lost.pop(subject, []))

    def prune(self, entry: Object) -> None:
        if entry["action"] == "audit.prune" and entry["outcome"] == "ok":
            self.pruned = facts = body_of(entry)
            self.begins = (entry["seq"], *(facts.get(name) for name in ("store", "n", "hash", "root")))

    def parts(self, entry: Object) -> None:
        seq, stated = entry["seq"], entry["commits"].split(",") if entry["commits"] else []
        missing = set(range(len(stated)))
        for part in entry["parts"]:
            number = part["part"]
            if number not in missing:
                self.problem(f"entry {seq}: it has a personal part {number} that it does not commit to")
            elif commitment(part) != stated[number]:
                self.problem(f"entry {seq}: its personal part {number} was altered")
            missing.discard(number)
        subjects = body_list(entry, "parts") if missing else []
        for number in missing:
            subject = subjects[number] if number < len(subjects) else entry["target"]
            self.lost.setdefault(subject, []).append((seq, number))

    def finish(self) -> None:
        for name, claim in self.claims:
            if claim["n"] > self.last:
                text = f"entries {self.last + 1} to {claim['n']}, which the {name} states, are missing"
                self.problem(text + self.since(claim))
            elif claim["n"] < self.first:
                self.problem(f"the {name} states entry {claim['n']}: give the archive that has it as well")
        excused = 0
        for subject in (self.header.get("archive") or {"erased": []})["erased"]:
            excused += len(self.lost.pop(subject, []))
        if excused:
            print(f"note: {excused} personal parts are missing, and only later entries can say that they were erased")
        for subject, places in self.lost.items():
            for seq, number in places:
                self.problem(
                    f"entry {seq}: its personal part {number} about {subject} is missing, and never was erased"
                )


def body_of(entry: Object) -> Object:
    try:
        found = parse(entry["body"].encode())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def body_list(entry: Object, name: str) -> list[str]:
    found = body_of(entry).get(name)
    return [str(item) for item in found] if isinstance(found, list) else []


def run(streams: Sequence[BinaryIO], checkpoint: Object | None, public_key: str) -> Check:
    files = [objects(stream) for stream in streams]
    headers = [next(file) for file in files]
    check = Check(headers, public_key)
    if checkpoint is not None:
        check.claim("checkpoint", checkpoint)
    for header, file in zip(headers, files, strict=True):
        check.begin_file(header)
        check.compare()
        for entry in file:
            check.entry(entry)
        check.end_file(header)
    signed = [claim["n"] for name, claim in check.claims if name != "header"]
    if public_key and not signed:
        check.problem("there is no anchor that the public key could confirm")
    if max(signed, default=0) < check.last:
        print(f"note: nothing signed vouches for the entries from {max(signed, default=0) + 1} on")
    check.finish()
    return check


def read_checkpoint(path: str) -> Object:
    with open(path, "rb") as stream:  # noqa: PTH123
        found = parse(stream.read(LINE_LIMIT))
    if not fits(found, ANCHOR):
        raise ValueError("not a checkpoint")
    return dict(found)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check an export of a usermgmt audit log.")
    parser.add_argument(
        "exports",
        metavar="EXPORT",
        nargs="+",
        help="the file that `usermgmt audit export -o ndjson` wrote; before it archives of `audit prune`, oldest first",
    )
    parser.add_argument("--checkpoint", metavar="FILE", help="a checkpoint of the same store, kept elsewhere")
    parser.add_argument("--public-key", metavar="HEX", default="", help="the store's public key, known from elsewhere")
    args = parser.parse_args(argv)
    if args.public_key and not HEX64.fullmatch(args.public_key):
        parser.error("--public-key takes 64 lower-case hexadecimal digits")
    try:
        checkpoint = read_checkpoint(args.checkpoint) if args.checkpoint else None
    except OSError as error:
        print(f"{args.checkpoint}: {error.strerror}", file=sys.stderr)
        return 3
    except ValueError:
        parser.error(f"{args.checkpoint} is not a checkpoint")
    try:
        with contextlib.ExitStack() as opened:
            streams = [opened.enter_context(open(path, "rb")) for path in args.exports]  # noqa: PTH123
            check = run(streams, checkpoint, args.public_key)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 3
    except Damaged as damage:
        print(f"NOT TRUE: {damage}")
        return 12
    if check.problems:
        print(f"NOT TRUE: {check.problems} problem(s)" + f", the first {SHOWN} shown" * (check.problems > SHOWN))
        return 12
    entries = f"entries {check.first + 1} to {check.last}" if check.first else f"{check.last} entries"
    print(f"true: {entries}, {check.erased} erased personal parts, root {check.tree.root()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
