"""The hash tree is that of RFC 6962, however it is computed."""

import hashlib

import pytest

from services.domain.merkle import EMPTY_ROOT, Frontier, inclusion_proof, leaf_hash, tree_root
from tests.support.merkle import root_from_proof

VECTORS = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", bytes(range(0x50, 0x58)), b"`" * 16]
"""The first six entries, and the first hashes below, are those of the test data of certificate-transparency."""


def by_definition(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word by word."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + by_definition(entries[:k]) + by_definition(entries[k:])).digest()


def test_roots_of_the_published_vectors() -> None:
    leaves = [leaf_hash(entry) for entry in VECTORS[:3]]
    assert tree_root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree_root(leaves[:2]).hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert tree_root(leaves[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"


def test_every_way_leads_to_the_same_root() -> None:
    entries = [f"entry {n}".encode() for n in range(70)]
    frontier = Frontier()
    assert frontier.root == tree_root([]) == by_definition([]) == EMPTY_ROOT
    for size in range(1, len(entries) + 1):
        frontier = frontier.append(leaf_hash(entries[size - 1]))
        leaves = [leaf_hash(entry) for entry in entries[:size]]
        assert frontier.size == size
        assert frontier.root == tree_root(leaves) == by_definition(entries[:size]), size


def test_a_proof_leads_to_the_root_and_nowhere_else() -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(21)]
    for size in range(1, len(leaves) + 1):
        root = tree_root(leaves[:size])
        for index in range(size):
            proof = inclusion_proof(leaves[:size], index)
            assert root_from_proof(leaves[index], index, size, proof) == root
            assert root_from_proof(leaf_hash(b"another"), index, size, proof) != root
            assert root_from_proof(leaves[index], index, size, [*proof, root]) is None
            if size > 1:
                assert root_from_proof(leaves[index], (index + 1) % size, size, proof) != root
                assert root_from_proof(leaves[index], index, size, proof[:-1]) != root


def test_a_leaf_that_is_not_there_has_no_proof() -> None:
    with pytest.raises(IndexError, match="none at 3"):
        inclusion_proof([leaf_hash(b"x")] * 3, 3)
    assert root_from_proof(leaf_hash(b"x"), 3, 3, []) is None
