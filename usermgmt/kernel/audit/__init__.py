"""The audit log: a hash chain over every change, its Merkle head, and signed anchors outside the store."""
