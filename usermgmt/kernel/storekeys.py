"""The files that keep the keys of encrypted stores: made, read, sealed under a passphrase, and found for a store.

A key file is one JSON object (``help encryption``). It names its store and the id of its key, so that a key of another
store, a damaged one and a wrong one are told apart. A passphrase only seals the key in its file: Argon2id makes the key
that AES-256-GCM seals it with, bound to the rest of the file.
"""

from __future__ import annotations

import os
import re
import stat
from glob import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from usermgmt.kernel.audit.keys import KeyFault, why
from usermgmt.kernel.cipher import KEY_BYTES, StoreKey
from usermgmt.kernel.errors import Unavailable
from usermgmt.kernel.files import private_directory, whole_file
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.settings import CREDENTIAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from usermgmt.kernel.settings import Settings

FORMAT = "usermgmt/store-key/1"
_LONGEST = 1 << 12
_ID = re.compile("[0-9a-f]{16}")
# RFC 9106, section 4: the second recommended choice
_COST = {"name": "argon2id", "memory": 65536, "time": 3, "lanes": 4}
_LIMITS = {"memory": 1 << 20, "time": 20, "lanes": 16}
"""What a key file may ask of this host at most: memory in KiB, passes, lanes."""
LONGEST_PASSPHRASE = 4096


class KeyMissing(Unavailable):
    """The store {path} is encrypted, and no key of store {store} is here."""

    code = "key.missing"
    hint = N_("put its key file into {folder}, or name it with store.key_file")


class KeyWrong(Unavailable):
    """The key {key} does not open the store {path}: {problem}."""

    code = "key.wrong"
    hint = N_("put the store's own key file into {folder}, or name it with store.key_file")


class Sealed(Unavailable):
    """The key {path} is under a passphrase: {problem}."""

    code = "key.sealed"
    hint = N_("type it on a terminal, or name a file that holds it with store.passphrase_file")


class KeyFile(NamedTuple):
    """A key file that was read: of which store, the id of its key, and the whole of it."""

    path: Path
    store_id: str
    id: str
    values: dict[str, Any]

    @property
    def sealed(self) -> bool:
        """Whether a passphrase is needed."""
        return "sealed" in self.values

    def key(self, passphrase: bytes = b"") -> StoreKey:
        """Return the key; where it is sealed, ``passphrase`` opens it. Raises ``KeyFault``, ``Sealed``."""
        try:
            secret = _unseal(self, passphrase) if self.sealed else bytes.fromhex(self.values["key"])
        except (KeyError, TypeError, ValueError):
            raise damaged(self.path) from None
        key = StoreKey(self.store_id, secret)
        if len(secret) != KEY_BYTES or key.id != self.id:
            raise damaged(self.path)
        return key


def damaged(path: Path) -> KeyFault:
    """Return the error for a key file of which something is missing or changed."""
    return KeyFault(path=path, problem=_("it is damaged, or no key file of a store"), hint=N_(_RECOVER))


_RECOVER = N_("put it back from a copy of the keys")


def read(path: Path, *, credential: bool = False) -> KeyFile:
    """Read the head of a key file; a ``credential`` of systemd may have an access list, which shows as the group's.

    Raises ``KeyFault`` where it is missing, a link, open to others, of another account, empty, or damaged.
    """
    try:
        # a credential's directory may be a link of systemd's; the file itself never is
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            info, data = os.fstat(file), os.read(file, _LONGEST + 1)
        finally:
            os.close(file)
    except OSError as error:
        raise KeyFault(path=path, problem=why(error), hint=N_(_RECOVER)) from None
    if not stat.S_ISREG(info.st_mode):
        raise KeyFault(path=path, problem=_("it is not a regular file"), hint=N_(_RECOVER))
    if info.st_mode & (0o037 if credential else 0o077):
        raise KeyFault(path=path, problem=_("other accounts may read or change it"), hint=N_("chmod 600 {path}"))
    if info.st_uid not in (os.geteuid(), 0):
        raise KeyFault(path=path, problem=_("it belongs to another account"), hint=N_("chown it to this account"))
    if not data:
        raise KeyFault(path=path, problem=_("it is empty"), hint=N_(_RECOVER))
    return _parsed(path, data)


def _parsed(path: Path, data: bytes) -> KeyFile:
    try:
        values = orjson.loads(data)
        store_id, id_ = values["store"], values["id"]
        fits = values["format"] == FORMAT and len(bytes.fromhex(store_id.replace("-", ""))) == 16 and _ID.fullmatch(id_)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged(path) from None
    if not fits:
        raise damaged(path)
    return KeyFile(path, store_id, id_, values)


# -- passphrases -------------------------------------------------------------------------------------------------------


def written(key: StoreKey, passphrase: bytes | None, noise: Callable[[int], bytes]) -> bytes:
    """Return the bytes of a key file, sealed where there is a ``passphrase``; ``noise`` gives random bytes."""
    values: dict[str, Any] = {"format": FORMAT, "store": key.store_id, "id": key.id}
    if passphrase is None:
        values["key"] = key.secret.hex()
    else:
        values |= {"kdf": {**_COST, "salt": noise(16).hex()}, "nonce": noise(12).hex()}
        values["sealed"] = _cipher(values["kdf"], passphrase).encrypt(
            bytes.fromhex(values["nonce"]), key.secret, _bound(values)
        ).hex()  # fmt: skip
    return orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _unseal(file: KeyFile, passphrase: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    values = file.values
    if values["kdf"]["name"] != _COST["name"] or any(
        not 1 <= values["kdf"][name] <= most for name, most in _LIMITS.items()
    ):
        raise damaged(file.path)
    try:
        opened: bytes = _cipher(values["kdf"], passphrase).decrypt(
            bytes.fromhex(values["nonce"]), bytes.fromhex(values["sealed"]), _bound(values)
        )
    except InvalidTag:
        raise Sealed(path=file.path, problem=_("this one does not open it")) from None
    return opened


def _bound(values: dict[str, Any]) -> bytes:
    """Return what the seal vouches for beside the key: all the rest of the file."""
    return orjson.dumps({name: values[name] for name in values if name != "sealed"}, option=orjson.OPT_SORT_KEYS)


def _cipher(kdf: dict[str, Any], passphrase: bytes) -> Any:
    from argon2.low_level import Type, hash_secret_raw
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cost = {"time_cost": kdf["time"], "memory_cost": kdf["memory"], "parallelism": kdf["lanes"]}
    return AESGCM(hash_secret_raw(passphrase, bytes.fromhex(kdf["salt"]), **cost, hash_len=KEY_BYTES, type=Type.ID))


# -- places ------------------------------------------------------------------------------------------------------------


def root(settings: Settings, base: Path) -> Path:
    """Return the directory with the keys of stores, by store id; ``base`` is where the store is."""
    return settings.path("store.key_dir") or base / "keys"


def named(key_id: str) -> str:
    """Return the name of a key's file in the directory of its store."""
    return f"store-{key_id}.key"


def beside(path: Path, key_id: str) -> Path:
    """Return where a key that ``store.key_file`` held is kept once a newer one is there."""
    return path.with_name(f"{path.stem}-{key_id}{path.suffix}")


def write(path: Path, data: bytes) -> None:
    """Make ``path`` a key file at once and for good; raises ``DiskFull``, ``FileUnreadable``."""
    private_directory(path.parent)
    with whole_file(path, replace=True) as stream:
        stream.write(data)


def candidates(settings: Settings, folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the files that may hold the key of the store whose keys are in ``folder``, and whether systemd gave them.

    First what ``store.key_file`` names, and former keys beside it; then those in ``folder``.
    """
    chosen = settings.path("store.key_file")
    if chosen is not None:
        yield chosen, settings.origin("store.key_file") == CREDENTIAL
        for path in sorted(chosen.parent.glob(f"{escape(chosen.stem)}-*{escape(chosen.suffix)}")):
            yield path, False
    for path in sorted(folder.glob(named("*"))):
        yield path, False


def find(file: Path, store_id: str, settings: Settings, folder: Path, label: str = "") -> tuple[StoreKey, Path]:
    """Return the key that opens the encrypted ``file`` of the store ``store_id``, and the file that holds the key.

    Keys under a passphrase come last, so that none is asked for where it is not needed.
    Raises ``KeyMissing``, ``KeyWrong``, ``KeyFault``, ``Sealed``.
    """
    faults: list[Unavailable] = []
    sealed: list[KeyFile] = []

    def wrong(path: Path, problem: str) -> KeyWrong:
        return KeyWrong(key=path, path=label or file, folder=folder, problem=problem)

    def fitting(held: KeyFile, passphrase: bytes = b"") -> StoreKey:
        key = held.key(passphrase)
        if not key.fits(file):
            raise wrong(held.path, _("no page of it was written with this key"))
        return key

    for path, credential in candidates(settings, folder):
        try:
            held = read(path, credential=credential)
            if held.store_id != store_id:
                raise wrong(path, _("it is the key of store {other}").format(other=held.store_id))
            if not held.sealed:
                return fitting(held), path
            sealed.append(held)
        except Unavailable as fault:
            faults.append(fault)
    if sealed:
        return _unsealed(sealed, settings, fitting)
    raise faults[0] if faults else KeyMissing(path=label or file, store=store_id, folder=folder)


def _unsealed(
    sealed: list[KeyFile], settings: Settings, fitting: Callable[[KeyFile, bytes], StoreKey]
) -> tuple[StoreKey, Path]:
    """Try each passphrase on each file: a former key that is kept may have another one than the present key."""
    faults: list[Unavailable] = []
    for passphrase in settings.passphrases():
        for held in sealed:
            try:
                return fitting(held, passphrase), held.path
            except Unavailable as fault:
                faults.append(fault)
    if not faults:
        raise Sealed(path=sealed[0].path, problem=_("there is no terminal to ask for it"))
    raise next((fault for fault in faults if isinstance(fault, Sealed)), faults[0])
