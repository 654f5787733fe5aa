"""The Merkle tree over the audit log, kept as the few hashes that let it grow and give its root at any moment."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = 8192
_NODE = re.compile("[0-9a-f]{64}")


class Frontier:
    """The compact range of an RFC 6962 tree: the roots of its full subtrees, largest first, one per set bit of ``n``.

    Leaves are the entry hashes as 32 raw bytes; a leaf is hashed as ``SHA256(0x00 || leaf)``, a node as
    ``SHA256(0x01 || left || right)`` (RFC 6962 section 2.1).
    """

    __slots__ = ("_nodes", "n")

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.n = 0
        self._nodes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add one leaf."""
        node = sha256(b"\x00" + leaf).digest()
        size = self.n
        while size & 1:
            node = sha256(b"\x01" + self._nodes.pop() + node).digest()
            size >>= 1
        self._nodes.append(node)
        self.n += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add many leaves, with less than two hashes each and memory for one block of them."""
        rest = iter(leaves)
        while level := [sha256(b"\x00" + leaf).digest() for leaf in islice(rest, _BLOCK)]:
            self._merge(level)

    def _merge(self, level: list[bytes]) -> None:
        size, self.n = self.n, self.n + len(level)
        left_over = []
        while level:
            if size & 1:
                level.insert(0, self._nodes.pop())
            if len(level) & 1:
                left_over.append(level.pop())
            pairs = iter(level)
            level = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            size >>= 1
        self._nodes += reversed(left_over)

    def root(self) -> bytes:
        """Return the Merkle tree hash of the ``n`` leaves; of none, it is the hash of nothing (RFC 6962)."""
        if not self._nodes:
            return sha256(b"").digest()
        *rest, root = self._nodes
        for node in reversed(rest):
            root = sha256(b"\x01" + node + root).digest()
        return root

    def copy(self) -> Frontier:
        """Return a frontier that grows apart from this one."""
        twin = Frontier()
        twin.n, twin._nodes = self.n, self._nodes.copy()
        return twin

    def dump(self) -> str:
        """Return the nodes as hex joined by commas, largest subtree first; with ``n`` this is the whole state."""
        return ",".join([node.hex() for node in self._nodes])

    @classmethod
    def load(cls, n: int, text: str) -> Frontier:
        """Read back what ``dump`` wrote for ``n`` leaves; raises ``ValueError`` where it cannot be that."""
        words = text.split(",") if text else []
        if n < 0 or len(words) != n.bit_count() or not all(map(_NODE.fullmatch, words)):
            message = f"not the frontier of {n} leaves"
            raise ValueError(message)
        frontier = cls()
        frontier.n, frontier._nodes = n, [bytes.fromhex(word) for word in words]
        return frontier
