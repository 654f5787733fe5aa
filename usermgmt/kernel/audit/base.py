"""Where the log begins: at entry 1, or after the entries that a prune removed to an archive.

The row ``audit_base`` says it, and is believed only where the last prune on the log says the same: else whoever cuts
off the beginning of the log could call that a prune.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sa

from usermgmt.kernel.audit.format import PRUNE_ACTION, Pruned, genesis, pruned
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.tables import audit_base, audit_entry

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


SIGNED_PREFIX = b"usermgmt/audit-prune/v1\0"


class Base(NamedTuple):
    """The state of the chain before the first entry that is kept.

    ``n`` is the last entry that was removed, 0 where none was, ``hash`` its hash as hex, ``frontier`` that of the
    Merkle tree over all entries up to it, as ``Frontier.dump`` writes it.
    """

    n: int
    hash: str
    frontier: str

    def tree(self) -> Frontier | None:
        """Return the tree over the removed entries, None where the frontier cannot be one."""
        try:
            return Frontier.load(self.n, self.frontier)
        except ValueError:
            return None

    def header(self) -> dict[str, Any]:
        """Return it as the header of an export has it."""
        return self._asdict()

    def stated(self, store_id: str) -> Pruned:
        """Return how an entry on the log has to name this base; a root of "" equals that of no entry."""
        tree = self.tree()
        return Pruned(store_id, self.n, self.hash, "" if tree is None else tree.root().hex())


def beginning(store_id: str) -> Base:
    """Return the base of a log that has all its entries."""
    return Base(0, genesis(store_id).hex(), "")


def load(connection: Connection, store_id: str) -> Base:
    """Return the base of the store ``store_id``, also of one whose schema is older than bases."""
    if not sa.inspect(connection).has_table(audit_base.name):
        return beginning(store_id)
    query = sa.select(audit_base.c.seq, audit_base.c.hash, audit_base.c.frontier)
    found = connection.execute(query).one_or_none()
    return beginning(store_id) if found is None else Base(*found)


def signed_bytes(stated: Pruned, sha256: str) -> bytes:
    """Return what the signature of a prune is over: what it states, and the SHA-256 of its archive.

    Without it, whoever can write to the store and has no key, as the administrator of a database server, could cut off
    the beginning of the log and append an entry that calls that a prune.
    """
    return SIGNED_PREFIX + orjson.dumps({**stated._asdict(), "sha256": sha256}, option=orjson.OPT_SORT_KEYS)


def last_prune(connection: Connection) -> dict[str, Any]:
    """Return what the last prune on the log says, and as ``seq`` the number of its entry; nothing without one."""
    query = (
        sa.select(audit_entry.c.seq, audit_entry.c.body)
        .where(audit_entry.c.action == PRUNE_ACTION, audit_entry.c.outcome == "ok")
        .order_by(audit_entry.c.seq.desc())
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return {} if found is None else {**_facts(found.body), "seq": found.seq}


def bears_out(connection: Connection, store_id: str, n: int, digest: str) -> bool:
    """Tell whether the hash of entry ``n`` is ``digest``, or the entry was removed by a prune that the log knows of."""
    found = connection.execute(sa.select(audit_entry.c.hash).where(audit_entry.c.seq == n)).scalar()
    if n == 0 or found is not None:
        return n == 0 or found == digest
    base = load(connection, store_id)
    known = pruned(last_prune(connection)) == base.stated(store_id)
    return known and (n < base.n or (n == base.n and digest == base.hash))


def first_facts(connection: Connection) -> tuple[int, dict[str, Any]]:
    """Return what the log says of the store's beginning, and the entry that says it.

    That is the first entry, or in its place the last prune, which repeats it; 0 where neither is there.
    """
    query = sa.select(audit_entry.c.seq, audit_entry.c.at, audit_entry.c.body).where(audit_entry.c.seq == 1)
    first = connection.execute(query).one_or_none()
    if first is not None:
        return 1, {**_facts(first.body), "created_at": first.at}
    facts = last_prune(connection)
    made, n = facts.get("made"), facts.get("n")
    return (n + 1, made) if isinstance(made, dict) and isinstance(n, int) else (0, {})


def _facts(body: str) -> dict[str, Any]:
    try:
        facts = orjson.loads(body)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
