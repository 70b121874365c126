"""Checks an inclusion proof as its reader does: RFC 9162, 2.1.3.2."""

from collections.abc import Sequence

from services.domain.merkle import node_hash


def root_from_proof(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to, in a tree of `size` leaves (RFC 9162, 2.1.3.2); None if the proof is invalid."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None
