"""The bytes of the audit log: what is hashed, how personal parts are committed to, and how an export line is written.

``docs/audit-format.md`` says the same for readers outside the project, with a worked example; the two change together,
under a new version word. Everything here is pure, and fast, because an import writes one entry for each user.
"""

from __future__ import annotations

import json
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from usermgmt.kernel.text import json_neutral

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENTRY_PREFIX = b"usermgmt/audit/v1\0"
PART_PREFIX = b"usermgmt/audit-pii/v1\0"
GENESIS_PREFIX = b"usermgmt/audit/v1/genesis\0"
EXPORT_FORMAT = "usermgmt/audit-export/1"
PARTIAL_FORMAT = "usermgmt/audit-export/2"
"""Of an export that does not begin with entry 1, or does not end with the last one."""
SALT_BYTES = 32
ERASURE_ACTION = "privacy.erased"
PRUNE_ACTION = "audit.prune"
RESTATE_ACTION = "audit.restate"

# at, change_id, actor, via, action, target, outcome, body, commits
Facts: TypeAlias = tuple[str, str, str, str, str, str, str, str, str]
# seq, then Facts, then hash
EntryRow: TypeAlias = tuple[int, str, str, str, str, str, str, str, str, str, str]
# seq, part, subject, salt as hex, body
PartRow: TypeAlias = tuple[int, int, str, str, str]

ENTRY_HEAD = Struct(">18s10I")
PART_HEAD = Struct(">22s32sI")


class Pruned(NamedTuple):
    """What an entry with ``PRUNE_ACTION`` says: the log of ``store`` goes on after entry ``n``, with its hash and root.

    The store stands in it because the hash before entry 1, which binds a log to its store, is gone.
    """

    store: str
    n: int
    hash: str
    root: str


NO_PART: PartRow = (1 << 63, 0, "", "", "")
"""What stands after the last part: its seq is above every other."""

_ENTRY_KEYS = ("seq", "at", "change_id", "actor", "via", "action", "target", "outcome", "body", "commits", "hash")
_PART_KEYS = ("part", "subject", "salt", "body")


def genesis(store_id: str) -> bytes:
    """Return what stands for the hash before entry 1, so that the entries of one store fit no other."""
    return sha256(GENESIS_PREFIX + store_id.encode("ascii")).digest()


def entry_head(seq: int, facts: Facts) -> bytes:
    """Return the prefix and the ten lengths in bytes of UTF-8: what tells the joined fields of an entry apart."""
    return ENTRY_HEAD.pack(ENTRY_PREFIX, len(str(seq)), *[len(fact.encode()) for fact in facts])


def entry_hash(prev: bytes, seq: int, facts: Facts) -> bytes:
    """Return the hash of the entry ``seq`` after the one with the hash ``prev``; both are 32 raw bytes.

    Raises ``UnicodeEncodeError`` for a lone surrogate, which has no bytes.
    """
    return sha256(entry_head(seq, facts) + f"{seq}{''.join(facts)}".encode() + prev).digest()


def chain(prev: bytes, seq: int, rows: Iterable[Facts]) -> list[bytes]:
    """Return the raw hashes of new entries numbered from ``seq`` on, the first one following the hash ``prev``."""
    pack = ENTRY_HEAD.pack
    hashes = []
    for row in rows:
        at, change_id, actor, via, action, target, outcome, body, commits = row
        number = str(seq)
        text = f"{number}{at}{change_id}{actor}{via}{action}{target}{outcome}{body}{commits}"
        data = text.encode()
        # where all is ASCII, as nearly always, the lengths of the texts are the lengths of their bytes
        head = (
            pack(
                ENTRY_PREFIX,
                len(number),
                len(at),
                len(change_id),
                len(actor),
                len(via),
                len(action),
                len(target),
                len(outcome),
                len(body),
                len(commits),
            )
            if len(data) == len(text)
            else entry_head(seq, row)
        )
        prev = sha256(head + data + prev).digest()
        hashes.append(prev)
        seq += 1
    return hashes


def commitment(salt: bytes, subject: str, body: str) -> str:
    """Return, as hex, what an entry says about a personal part: it binds the part, and without the salt hides it.

    Raises ``ValueError`` unless the salt has ``SALT_BYTES``: a fixed length keeps salt and subject apart.
    """
    return commitments([(salt, subject, body)])[0]


def commitments(parts: Iterable[tuple[bytes, str, str]]) -> list[str]:
    """Return the commitments to many parts ``(salt, subject, body)``; see ``commitment``."""
    pack = PART_HEAD.pack
    made = []
    for salt, subject, body in parts:
        if len(salt) != SALT_BYTES:
            message = f"a salt has {SALT_BYTES} bytes"
            raise ValueError(message)
        about = subject.encode()
        made.append(sha256(pack(PART_PREFIX, salt, len(about)) + about + body.encode()).hexdigest())
    return made


def part_subject(part: int, target: str, body: str) -> str:
    """Return whom the personal part ``part`` of an entry is about, as the entry itself says, without the part's row.

    That is ``body["parts"][part]`` where the body lists the subjects of its parts, else the entry's target. Only so can
    a part that was lawfully erased be told from one that somebody deleted.
    """
    stated = _facts(body).get("parts")
    if isinstance(stated, list) and part < len(stated):
        return str(stated[part])
    return target


def erased_subjects(target: str, body: str) -> set[str]:
    """Return the subjects whose earlier parts an entry with ``ERASURE_ACTION`` removed: its target and ``subjects``."""
    stated = _facts(body).get("subjects")
    return {target, *map(str, stated if isinstance(stated, list) else ())}


def pruned(facts: dict[str, Any]) -> Pruned | None:
    """Return what the content of an entry with ``PRUNE_ACTION`` states, None where it states nothing."""
    store, n, digest, root = (facts.get(name) for name in Pruned._fields)
    if isinstance(store, str) and isinstance(n, int) and isinstance(digest, str) and isinstance(root, str):
        return Pruned(store, n, digest, root)
    return None


def pruned_by(body: str) -> Pruned | None:
    """Return what an entry with ``PRUNE_ACTION`` states in its body."""
    return pruned(_facts(body))


def _facts(body: str) -> dict[str, Any]:
    try:
        facts = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def export_header(
    *,
    store: str,
    lineage: int,
    n: int,
    head: str,
    root: str,
    at: str,
    public_key: str,
    anchor: dict[str, Any] | None,
    base: dict[str, Any] | None = None,
    archive: dict[str, Any] | None = None,
) -> bytes:
    """Return the first line of an export: what the lines after it must amount to, and the signed anchor, if any.

    ``base`` says what they follow where that is not entry 1, or where they are an ``archive`` of removed entries.
    """
    header: dict[str, Any] = {
        "format": EXPORT_FORMAT if base is None else PARTIAL_FORMAT,
        "store": store,
        "lineage": lineage,
        "n": n,
        "hash": head,
        "root": root,
        "at": at,
        "public_key": public_key,
        "anchor": anchor,
    }
    return _line(header if base is None else header | {"base": base, "archive": archive})


def export_lines(entries: Iterable[EntryRow], parts: Iterable[PartRow]) -> Iterator[bytes]:
    """Yield one line for each entry, with its parts, from rows in the order of ``seq`` and ``(seq, part)``."""
    rest = iter(parts)
    part = next(rest, NO_PART)
    for row in entries:
        line: dict[str, Any] = dict(zip(_ENTRY_KEYS, row, strict=True))
        line["parts"] = mine = []
        while part[0] <= row[0]:
            if part[0] == row[0]:
                mine.append(dict(zip(_PART_KEYS, part[1:], strict=True)))
            part = next(rest, NO_PART)
        yield _line(line)


def import_entry(line: dict[str, Any]) -> EntryRow:
    """Return the entry that a parsed line of ``export_lines`` holds; raises ``LookupError``, ``TypeError``."""
    row: Any = tuple(line[name] for name in _ENTRY_KEYS)
    return row  # type: ignore[no-any-return]  # a text where a number belongs is what the verifier looks for


def import_parts(line: dict[str, Any]) -> list[PartRow]:
    """Return the parts in a parsed line of ``export_lines``; raises ``LookupError``, ``TypeError``."""
    return [(line["seq"], part["part"], part["subject"], part["salt"], part["body"]) for part in line["parts"]]


def _line(value: dict[str, Any]) -> bytes:
    import orjson

    line = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    # escapes change the line and not what it says: a terminal that shows it must not obey it
    return line if line.isascii() and b"\x7f" not in line else json_neutral(line.decode()).encode()
