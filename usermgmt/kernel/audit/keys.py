"""The Ed25519 key that signs anchors: a private file in the store's key directory, and its public half beside it."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from usermgmt.kernel.errors import FileExists, Unavailable, said
from usermgmt.kernel.files import failure, private_directory, sync_directory
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from usermgmt.kernel.audit.anchor import Anchor

KEY_FILE = "anchor.key"
PUBLIC_FILE = "anchor.pub"
SEED_BYTES = 32


class KeyFault(Unavailable):
    """The key {path} cannot be used: {problem}."""

    code = "key.fault"
    hint = N_("usermgmt doctor shows what to mend")


def key_id(public_key: bytes) -> str:
    """Return the name under which anchors state the key with this raw public half."""
    return sha256(public_key).hexdigest()[:16]


def why(error: OSError) -> str:
    """Say what went wrong with a file that must not be a link."""
    return _("it is a symbolic link") if error.errno == errno.ELOOP else said(error)


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key; ``public`` is its raw public half of 32 bytes (RFC 8032)."""

    public: bytes
    _private: Ed25519PrivateKey = field(repr=False)

    def sign(self, anchor: Anchor) -> Anchor:
        """Return ``anchor`` with this key's id and signature."""
        named = anchor._replace(key=key_id(self.public))
        return named._replace(sig=self.signature(named.signed_bytes()))

    def signature(self, data: bytes) -> str:
        """Return the Ed25519 signature of ``data`` as hex; what is signed begins with a prefix that says what it is."""
        return self._private.sign(data).hex()


def signs(public_key: bytes, signature: str, data: bytes) -> bool:
    """Return whether the key with this raw public half made ``signature``, hex, of ``data`` (Ed25519, RFC 8032)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def create_key(folder: Path, seed: bytes | None = None) -> Key:
    """Make a key in ``folder``, which is made with mode 0700 where it is missing; ``seed`` is 32 random bytes.

    Raises ``FileExists`` where there is a key, of which anchors may stand signed, and ``FileUnreadable``, ``DiskFull``.
    """
    seed = os.urandom(SEED_BYTES) if seed is None else seed
    key = _key(seed)
    private_directory(folder)
    # a public half that is left over is refused before a private one is made
    if os.path.lexists(folder / PUBLIC_FILE):
        raise FileExists(path=folder / PUBLIC_FILE)
    _create(folder / KEY_FILE, seed, 0o600)
    _create(folder / PUBLIC_FILE, key.public, 0o644)
    sync_directory(folder)
    return key


def publish(folder: Path) -> None:
    """Make the public half of the key in ``folder`` again; raises ``KeyFault``, ``FileExists`` where it is there."""
    _create(folder / PUBLIC_FILE, load_key(folder).public, 0o644)
    sync_directory(folder)


def copy_key(source: Path, folder: Path) -> bool:
    """Copy the key in ``source`` into ``folder``; return False where another one is there, which stays.

    What a killed copy left is completed. Raises ``KeyFault``, ``FileUnreadable``, ``DiskFull``.
    """
    seed = _read(source / KEY_FILE, 0o077)
    if not os.path.lexists(folder / KEY_FILE):
        if os.path.lexists(folder / PUBLIC_FILE) and load_public_key(folder) != _key(seed).public:
            return False
        private_directory(folder)
        _create(folder / KEY_FILE, seed, 0o600)
    if load_key(folder).public != _key(seed).public:
        return False
    if not os.path.lexists(folder / PUBLIC_FILE):
        _create(folder / PUBLIC_FILE, _key(seed).public, 0o644)
    sync_directory(folder)
    return True


def load_key(folder: Path) -> Key:
    """Read the key in ``folder``; raises ``KeyFault`` where it is missing, a link, damaged, or open to others."""
    return _key(_read(folder / KEY_FILE, 0o077))


def current_key(folder: Path) -> Key:
    """Return ``load_key(folder)``, remembered until the file changes, for a process that signs thousands of anchors."""
    try:
        facts = (folder / KEY_FILE).lstat()
    except OSError:
        return load_key(folder)
    return _remembered(folder, facts.st_ino, facts.st_ctime_ns)


@lru_cache(maxsize=4)
def _remembered(folder: Path, _inode: int, _changed: int) -> Key:
    return load_key(folder)


def load_public_key(folder: Path) -> bytes:
    """Read the raw public half in ``folder``; raises ``KeyFault``."""
    return _read(folder / PUBLIC_FILE, 0o022)


def _key(seed: bytes) -> Key:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(seed)
    return Key(private.public_key().public_bytes_raw(), private)


def _create(path: Path, raw: bytes, mode: int) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(file, "wb") as stream:
            stream.write(raw.hex().encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise failure(path, error) from None


def _read(path: Path, forbidden: int) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode, line = os.fstat(file).st_mode, os.read(file, 2 * SEED_BYTES + 2)
        finally:
            os.close(file)
    except OSError as error:
        raise KeyFault(path=path, problem=why(error)) from None
    if mode & forbidden:
        raise KeyFault(path=path, problem=_("other accounts may read or change it"), hint=N_("chmod 600 {path}"))
    return _parse(path, line)


def _parse(path: Path, line: bytes) -> bytes:
    try:
        raw = bytes.fromhex(line.decode("ascii"))
    except ValueError:
        raw = b""
    if len(raw) != SEED_BYTES:
        raise KeyFault(path=path, problem=_("it does not hold 64 hexadecimal digits"))
    return raw
