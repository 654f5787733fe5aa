"""What stored texts give when they are hashed again: they may be anything, and then they give nothing that fits."""

from __future__ import annotations

from hashlib import sha256

from usermgmt.kernel.audit.format import PART_HEAD, PART_PREFIX, SALT_BYTES, EntryRow, PartRow, entry_hash


def commits(parts: list[PartRow]) -> str | None:
    """Return what an entry with exactly these parts says of them; None where they are not numbered from 0."""
    made = []
    for place, row in enumerate(parts):
        if row[1] != place:
            return None
        made.append(commitment(row))
    return ",".join(made)


def commitment(row: PartRow) -> str:
    """Return the commitment to a stored part; no commitment equals what it returns for a part that is malformed."""
    _seq, _part, subject, salt, body = row
    try:
        raw, about = bytes.fromhex(salt), subject.encode()
        # the salt is exact as text too: fromhex takes capitals and blanks
        if len(raw) != SALT_BYTES or raw.hex() != salt:
            return "malformed"
        return sha256(PART_HEAD.pack(PART_PREFIX, raw, len(about)) + about + body.encode()).hexdigest()
    except (TypeError, ValueError, AttributeError):
        return "malformed"


def digest(prev: bytes, row: EntryRow) -> bytes | None:
    """Return the hash of an entry after the hash ``prev``, None where its fields are no texts that have one."""
    try:
        return entry_hash(prev, row[0], row[1:10])
    except (TypeError, ValueError, AttributeError):
        return None


def raw(text: str) -> bytes | None:
    """Return a stored hash as bytes, None where it is not 64 lower-case hexadecimal digits."""
    try:
        raw = bytes.fromhex(text)
    except (TypeError, ValueError):
        return None
    return raw if len(raw) == 32 and raw.hex() == text else None
