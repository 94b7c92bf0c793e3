"""The Merkle tree against RFC 6962's own definition, written again and naively."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.trust.evidence import merkle

# The eight leaves of the certificate-transparency test suites.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip


def oracle_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    n = len(entries)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < n:
        k *= 2
    return hashlib.sha256(b"\x01" + oracle_root(entries[:k]) + oracle_root(entries[k:])).digest()


def oracle_path(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.1."""
    n = len(entries)
    if n <= 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if m < k:
        return [*oracle_path(m, entries[:k]), oracle_root(entries[k:])]
    return [*oracle_path(m - k, entries[k:]), oracle_root(entries[:k])]


def oracle_proof(m: int, entries: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of section 2.1.2."""
    n = len(entries)
    if m == n:
        return [] if whole else [oracle_root(entries)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*oracle_proof(m, entries[:k], whole), oracle_root(entries[k:])]
    return [*oracle_proof(m - k, entries[k:], False), oracle_root(entries[:k])]


class Tree:
    """All complete subtrees of some entries."""

    def __init__(self, entries: list[bytes]) -> None:
        self.leaves = [merkle.leaf_hash(entry) for entry in entries]
        made, self.frontier = merkle.extend(0, [], self.leaves)
        self.nodes = dict(made) | {(0, i): leaf for i, leaf in enumerate(self.leaves)}

    def root(self, size: int) -> bytes:
        return merkle.span_hash((0, size), self.nodes.__getitem__)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return merkle.proof(merkle.inclusion_spans(index, size), self.nodes.__getitem__)

    def consistency(self, first: int, second: int) -> list[bytes]:
        return merkle.proof(merkle.consistency_spans(first, second), self.nodes.__getitem__)


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_roots_of_the_ct_leaves(size, root):
    leaves = [merkle.leaf_hash(leaf) for leaf in CT_LEAVES[:size]]
    assert merkle.root_of(leaves).hex() == root


def test_every_proof_up_to_forty_entries_is_the_definition_s():
    entries = [bytes([i]) * (i % 5) for i in range(40)]
    tree = Tree(entries)
    for size in range(1, 41):
        root = oracle_root(entries[:size])
        assert tree.root(size) == root
        for index in range(size):
            path = tree.inclusion(index, size)
            assert path == oracle_path(index, entries[:size])
            assert merkle.verify_inclusion(tree.leaves[index], index, size, path, root)
        for first in range(1, size + 1):
            path = tree.consistency(first, size)
            assert path == oracle_proof(first, entries[:size])
            assert merkle.verify_consistency(first, size, oracle_root(entries[:first]), root, path)


def test_a_proof_is_logarithmic():
    for size in (1, 2, 1000, 1023, 1024, 1025, 10**9):
        for index in (0, size // 3, size - 1):
            spans = merkle.inclusion_spans(index, size)
            assert len(spans) <= size.bit_length()
            assert sum(len(merkle.subtrees(span)) for span in spans) <= 2 * size.bit_length()
        assert len(merkle.consistency_spans(max(size // 3, 1), size)) <= size.bit_length() + 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=70), st.lists(st.integers(0, 70), max_size=4))
def test_appending_in_any_batches_gives_the_same_tree(entries, cuts):
    hashes = [merkle.leaf_hash(entry) for entry in entries]
    frontier: list[bytes] = []
    nodes = {}
    edges = [0, *sorted(min(cut, len(hashes)) for cut in cuts), len(hashes)]
    for start, end in pairwise(edges):
        made, frontier = merkle.extend(start, frontier, hashes[start:end])
        nodes |= dict(made)
    whole, expected = merkle.extend(0, [], hashes)
    assert nodes == dict(whole)
    assert frontier == expected
    assert merkle.fold(frontier) == oracle_root(entries)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_inclusion_proof_is_refused(data):
    entries = [bytes([i]) for i in range(data.draw(st.integers(1, 60)))]
    tree, size = Tree(entries), len(entries)
    index = data.draw(st.integers(0, size - 1))
    leaf, path, root = tree.leaves[index], tree.inclusion(index, size), tree.root(size)
    what = data.draw(st.sampled_from(["leaf", "index", "path", "drop", "add", "root"]))
    if what == "leaf":
        leaf = _flip(data, leaf)
    elif what == "root":
        root = _flip(data, root)
    elif what == "index":
        index = data.draw(st.integers(-3, size + 3).filter(lambda i: i != index))
    elif what == "path" and path:
        at = data.draw(st.integers(0, len(path) - 1))
        path[at] = _flip(data, path[at])
    elif what == "drop" and path:
        path.pop(data.draw(st.integers(0, len(path) - 1)))
    else:
        path.insert(data.draw(st.integers(0, len(path))), bytes(32))
    assert not merkle.verify_inclusion(leaf, index, size, path, root)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_consistency_proof_is_refused(data):
    entries = [bytes([i]) for i in range(data.draw(st.integers(2, 60)))]
    tree, second = Tree(entries), len(entries)
    first = data.draw(st.integers(1, second - 1))
    old, new, path = tree.root(first), tree.root(second), tree.consistency(first, second)
    what = data.draw(st.sampled_from(["old", "new", "path", "drop", "add"]))
    if what == "old":
        old = _flip(data, old)
    elif what == "new":
        new = _flip(data, new)
    elif what == "path":
        at = data.draw(st.integers(0, len(path) - 1))
        path[at] = _flip(data, path[at])
    elif what == "drop":
        path.pop(data.draw(st.integers(0, len(path) - 1)))
    else:
        path.insert(data.draw(st.integers(0, len(path))), bytes(32))
    assert not merkle.verify_consistency(first, second, old, new, path)


def _flip(data, value: bytes) -> bytes:
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    return (int.from_bytes(value, "big") ^ (1 << bit)).to_bytes(len(value), "big")


def test_trivial_consistency():
    root = merkle.root_of([merkle.leaf_hash(b"a")])
    assert merkle.verify_consistency(0, 1, merkle.EMPTY, root, [])
    assert not merkle.verify_consistency(0, 1, root, root, [])
    assert not merkle.verify_consistency(0, 1, merkle.EMPTY, root, [root])
    assert merkle.verify_consistency(1, 1, root, root, [])
    assert not merkle.verify_consistency(1, 1, root, merkle.EMPTY, [])
    assert not merkle.verify_consistency(1, 1, root, root, [root])
    assert not merkle.verify_consistency(2, 1, root, root, [])
    assert not merkle.verify_consistency(1, 2, root, root, [])
    assert not merkle.verify_consistency(-1, 2, root, root, [root])


@pytest.mark.parametrize("index", [-1, 3, 10])
def test_there_is_no_proof_for_a_leaf_that_is_not(index):
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_spans(index, 3)


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3)])
def test_there_is_no_proof_between_sizes_that_are_not(first, second):
    with pytest.raises(ValueError, match="no proof leads"):
        merkle.consistency_spans(first, second)
