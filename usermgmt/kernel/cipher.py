"""Encrypted stores as SQLCipher 4 writes them: whose a file is, and which key fits, told from its bytes alone.

The salt in the first 16 bytes of a file is the id of its store: with a raw key nothing is derived from it but the key
of the pages' codes, so it may be known, and it names the store to whoever has no key. The code at the end of each page
tells whether a key is the right one before any SQLite code touches the file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import pbkdf2_hmac, sha256
from typing import Any

PAGE = 4096
KEY_BYTES = 32
_SALT, _CODE = 16, 64
_MASK, _ROUNDS = 0x3A, 2  # SQLCipher's HMAC_SALT_MASK and FAST_PBKDF2_ITER
_TRIED = 4
"""So many pages at each end of a file are tried: one that another process is writing just now may not fit."""
_FROM, _TO = 1_577_836_800_000, 4_102_444_800_000  # 2020 to 2100, in milliseconds


@dataclass(frozen=True, slots=True)
class StoreKey:
    """The key of the store ``store_id``: ``secret`` is 32 random bytes, the AES-256 key itself."""

    store_id: str
    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """The name under which audit, manifests and key files speak of it; tells nothing of the secret."""
        return sha256(b"usermgmt/store-key/1\0" + self.secret).hexdigest()[:16]

    def given(self) -> str:
        """Return key and salt as SQLCipher takes them: never to be printed."""
        return f"x'{self.secret.hex()}{_salt(self.store_id).hex()}'"

    def unlock(self, connection: Any) -> None:
        """Make a driver's connection read and write with this key; before its first other statement."""
        connection.execute("PRAGMA cipher_log_level=NONE")
        connection.set_key(self.given())

    def fits(self, path: str | os.PathLike[str]) -> bool:
        """Tell whether pages of the file ``path`` were written with this key; raises ``OSError``."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            count = os.fstat(descriptor).st_size // PAGE
            code = _page_key(self.secret, os.pread(descriptor, _SALT, 0))
            numbers = {*range(min(_TRIED, count)), *range(max(0, count - _TRIED), count)}
            return any(_holds(code, os.pread(descriptor, PAGE, n * PAGE), n + 1) for n in sorted(numbers))
        finally:
            os.close(descriptor)


def _salt(store_id: str) -> bytes:
    return bytes.fromhex(store_id.replace("-", ""))


def _page_key(secret: bytes, salt: bytes) -> bytes:
    return pbkdf2_hmac("sha512", secret, bytes(byte ^ _MASK for byte in salt), _ROUNDS, KEY_BYTES)


def _holds(code: bytes, page: bytes, number: int) -> bool:
    import hmac

    body = page[_SALT if number == 1 else 0 : -_CODE]
    return hmac.compare_digest(hmac.digest(code, body + number.to_bytes(4, "little"), "sha512"), page[-_CODE:])


def owner(header: bytes, size: int) -> str | None:
    """Return the id of the store whose encrypted file begins with ``header``, None for what is no such file.

    A store's id is a UUIDv7 (RFC 9562): of random bytes one in some six thousand looks like one of this time.
    """
    if size < PAGE or header[6] >> 4 != 7 or header[8] >> 6 != 2:
        return None
    if not _FROM < int.from_bytes(header[:6], "big") < _TO:
        return None
    text = header[:16].hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
