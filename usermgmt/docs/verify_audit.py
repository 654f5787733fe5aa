# ruff: noqa: INP001, T201, D102, D103 - a program on its own, which prints, and whose names say what they do
"""Check an export of a usermgmt audit log, with Python (3.11 or later) and this one file.

    python verify_audit.py EXPORT [--checkpoint FILE] [--public-key HEX]

Exit codes: 0 the export is true, 12 it is not (one line for each problem), 2 wrong usage, 3 a file cannot be opened.

This program shares no code with usermgmt: it was written from the page audit-format.md, for readers who would rather
believe neither. It reads the export once, line by line. An export is the whole log: one that does not begin with entry
1 is refused, since nobody can tell what it hangs on. Signatures are checked where the package `cryptography` is
installed; everything else needs the standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator  # noqa: TC003 - one import less to explain
from typing import Any, BinaryIO

Object = dict[str, Any]
TEXTS = ("at", "change_id", "actor", "via", "action", "target", "outcome", "body", "commits")
CLAIM = {"store": str, "lineage": int, "n": int, "hash": str, "root": str, "at": str}
HEADER = {**CLAIM, "format": str, "public_key": str, "anchor": object}
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

    def __init__(self) -> None:
        self.n = 0
        self.nodes: list[bytes] = []

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


def signature_holds(anchor: Object, public_key: str) -> bool:
    """Tell whether the anchor is signed by the key (Ed25519); raises ImportError where this Python cannot tell."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    facts = {name: value for name, value in anchor.items() if name != "sig"}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        raw, signature = bytes.fromhex(public_key), bytes.fromhex(anchor["sig"])
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, b"usermgmt/anchor/v1\0" + text.encode())
    except (InvalidSignature, ValueError):
        return False
    return bool(anchor["key"] == sha(raw).hex()[:16])


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
        fits(found, HEADER)
        and found["format"] == "usermgmt/audit-export/1"
        and (found["anchor"] is None or fits(found["anchor"], ANCHOR))
    )


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
            raise Damaged(f"line {number} is not {what} of an audit export of format 1")
        yield found
        number += 1


# -- checking ---------------------------------------------------------------------------------------------------------


class Check:
    """Follows the chain, entry by entry, and says what does not hold."""

    def __init__(self, header: Object, public_key: str) -> None:
        self.header, self.public_key = header, public_key
        self.claims: list[tuple[str, Object]] = [("header", header)]
        self.last = 0
        # what the next entry may follow: one hash; two where an entry did not hold; none after a gap
        self.prevs = [sha(b"usermgmt/audit/v1/genesis\0", header["store"].encode())]
        self.tree, self.whole = Tree(), True
        self.lost: dict[str, list[tuple[int, int]]] = {}
        self.erased = self.problems = 0

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
            if not signature_holds(anchor, self.public_key or self.header["public_key"]):
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
        if self.header["n"] < self.last:
            self.problem(f"entry {self.header['n'] + 1}: it stands after the last one that the header states")
        for subject, places in self.lost.items():
            for seq, number in places:
                self.problem(
                    f"entry {seq}: its personal part {number} about {subject} is missing, and never was erased"
                )


def body_list(entry: Object, name: str) -> list[str]:
    try:
        found = parse(entry["body"].encode())[name]
    except (ValueError, TypeError, KeyError):
        return []
    return [str(item) for item in found] if isinstance(found, list) else []


def run(stream: BinaryIO, checkpoint: Object | None, public_key: str) -> Check:
    entries = objects(stream)
    header = next(entries)
    check = Check(header, public_key)
    for name, anchor in (("anchor", header["anchor"]), ("checkpoint", checkpoint)):
        if anchor is not None:
            check.claim(name, anchor)
    signed = max((claim["n"] for _name, claim in check.claims[1:]), default=0)
    if public_key and len(check.claims) == 1:
        check.problem("there is no anchor that the public key could confirm")
    if signed < header["n"]:
        print(f"note: nothing signed vouches for the entries from {signed + 1} on")
    check.compare()
    for entry in entries:
        check.entry(entry)
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
    parser.add_argument("export", metavar="EXPORT", help="the file that `usermgmt audit export -o ndjson` wrote")
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
        with open(args.export, "rb") as stream:  # noqa: PTH123
            check = run(stream, checkpoint, args.public_key)
    except OSError as error:
        print(f"{args.export}: {error.strerror}", file=sys.stderr)
        return 3
    except Damaged as damage:
        print(f"NOT TRUE: {damage}")
        return 12
    if check.problems:
        print(f"NOT TRUE: {check.problems} problem(s)" + f", the first {SHOWN} shown" * (check.problems > SHOWN))
        return 12
    print(f"true: {check.last} entries, {check.erased} erased personal parts, root {check.tree.root()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
