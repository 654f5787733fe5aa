"""The manifest beside a backup: what the file must be, with the head of its audit signed by the store's key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt import __version__
from usermgmt.domains.store.errors import BackupBroken
from usermgmt.kernel import files
from usermgmt.kernel.audit.anchor import Anchor, verify_signature
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from pathlib import Path

    from usermgmt.domains.store.verifying import Facts

FORMAT = "usermgmt/backup/1"
_LONGEST = 1 << 20
_DIFFERS = N_("its manifest states another {name}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says, as it stands in its file."""

    path: Path
    values: dict[str, Any]


def beside(path: Path) -> Path:
    """Return where the manifest of the backup ``path`` is."""
    return path.with_name(path.name + ".manifest.json")


def stated(facts: Facts) -> dict[str, Any]:
    """Return what a manifest says of a store's contents."""
    return {
        "store": facts.meta.store_id,
        "lineage": facts.head.lineage,
        "n": facts.head.n,
        "hash": facts.head.hash,
        "root": facts.root,
        "schema": facts.meta.schema,
        "counts": facts.counts,
    }


def write(path: Path, facts: Facts, sha256: str, key: str | None, at: str, anchor: Anchor | None) -> None:
    """Write the manifest of the backup ``path``; ``key`` is the id of the key that opens it, None where it is plain.

    Raises ``FileExists``, ``DiskFull``, ``FileUnreadable``.
    """
    values = {
        "format": FORMAT,
        **stated(facts),
        "at": at,
        "program": __version__,
        "sha256": sha256,
        "key": key,
        "anchor": None if anchor is None else anchor.as_dict(),
    }
    with files.whole_file(beside(path)) as stream:
        stream.write(orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read(path: Path) -> Manifest | None:
    """Return the manifest of the backup ``path``, or None where there is none; raises ``BackupBroken``."""
    place = beside(path)
    try:
        with place.open("rb") as stream:
            data = stream.read(_LONGEST)
        values = orjson.loads(data)
    except (FileNotFoundError, UnicodeEncodeError):
        # the latter is a name that no file has
        return None
    except (OSError, ValueError):
        raise BackupBroken(path=path, problem=_("its manifest cannot be read")) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise BackupBroken(path=path, problem=_("its manifest has another form"))
    return Manifest(place, values)


def check_bytes(found: Manifest, path: Path, sha256: str) -> None:
    """Compare the SHA-256 of the backup's bytes; raises ``BackupBroken``."""
    if found.values.get("sha256") != sha256:
        raise BackupBroken(path=path, problem=_(_DIFFERS).format(name="sha256"))


def check_contents(found: Manifest, path: Path, facts: Facts, public_key: bytes | None) -> None:
    """Compare what the manifest says with the verified contents, and its signature; raises ``BackupBroken``.

    Without ``public_key`` the signature cannot be judged, and is not.
    """
    for name, value in stated(facts).items():
        if found.values.get(name) != value:
            raise BackupBroken(path=path, problem=_(_DIFFERS).format(name=name))
    given = found.values.get("anchor")
    if given is None:
        return
    anchor = _anchor(given, path)
    signed = (anchor.store, anchor.lineage, anchor.n, anchor.hash, anchor.root)
    if signed != (facts.meta.store_id, facts.head.lineage, facts.head.n, facts.head.hash, facts.root):
        raise BackupBroken(path=path, problem=_(_DIFFERS).format(name="anchor"))
    if public_key is not None and not verify_signature(anchor, public_key):
        raise BackupBroken(path=path, problem=_("its manifest was not signed by the key of the store"))


def _anchor(given: Any, path: Path) -> Anchor:
    try:
        anchor = Anchor(**given)
        anchor.line()
    except (TypeError, ValueError):
        raise BackupBroken(path=path, problem=_("its manifest cannot be read")) from None
    return anchor
