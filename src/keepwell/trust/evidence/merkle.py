"""Merkle tree of RFC 6962 and RFC 9162, section 2.1: roots, proofs, verification. Pure functions.

A tree of n leaves is kept as its complete subtrees: the one at (level, position) covers the leaves
[position * 2^level, (position + 1) * 2^level) and never changes once it exists. Every root and
every proof of every size is folded from O(log n) of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

Place = tuple[int, int]
"""Level and position of a complete subtree; level 0 is a leaf."""
Span = tuple[int, int]
"""Leaves [from, until)."""
Lookup = Callable[[Place], bytes]

EMPTY = hashlib.sha256(b"").digest()
"""Root of a log without entries."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf.

    Example:
        >>> leaf_hash(b"").hex()[:8]
        '6e340b9c'
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below a size of at least two."""
    return 1 << ((size - 1).bit_length() - 1)


def subtrees(span: Span) -> list[Place]:
    """The complete subtrees of a span that begins where one of its size may, left to right."""
    start, end = span
    places = []
    while start < end:
        level = (end - start).bit_length() - 1
        places.append((level, start >> level))
        start += 1 << level
    return places


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over the complete subtrees of a span, given left to right."""
    if not hashes:
        return EMPTY
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def span_hash(span: Span, lookup: Lookup) -> bytes:
    """The hash of a span.

    Args:
        span: leaves, beginning where a subtree of this size may.
        lookup: gives the hash of a complete subtree.
    """
    return fold([lookup(place) for place in subtrees(span)])


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The spans whose hashes prove that a leaf is in a tree, in the order of the proof.

    Args:
        index: of the leaf.
        size: of the tree.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a log of {size} entries has no leaf {index}")
    spans: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """The spans whose hashes prove that a tree begins with a smaller one, in the proof's order.

    Args:
        first: size of the smaller tree, at least 1.
        second: size of the larger.

    Raises:
        ValueError: the sizes are not so.
    """
    if not 0 < first <= second:
        raise ValueError(f"no proof leads from {first} to {second} entries")
    spans: list[Span] = []
    start, end, whole = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start, whole = middle, False
    if not whole:
        spans.append((start, end))
    return spans[::-1]


def proof(spans: Iterable[Span], lookup: Lookup) -> list[bytes]:
    """The hashes of the spans of a proof."""
    return [span_hash(span, lookup) for span in spans]


def extend(
    size: int, frontier: Sequence[bytes], leaves: Sequence[bytes]
) -> tuple[list[tuple[Place, bytes]], list[bytes]]:
    """Append leaves to a tree.

    Args:
        size: of the tree so far.
        frontier: hashes of its `subtrees((0, size))`.
        leaves: hashes of the new leaves.

    Returns:
        Every complete subtree above the leaves that has come into being, and the new frontier.
    """
    stack = list(frontier)
    made: list[tuple[Place, bytes]] = []
    for index, leaf in enumerate(leaves, start=size):
        stack.append(leaf)
        level, position = 0, index
        while position & 1:
            right = stack.pop()
            stack.append(node_hash(stack.pop(), right))
            level, position = level + 1, position >> 1
            made.append(((level, position), stack[-1]))
    return made, stack


class Builder:
    """A tree that grows leaf by leaf.

    Attributes:
        size: number of leaves so far.
        frontier: hashes of `subtrees((0, size))`.
    """

    def __init__(self) -> None:
        self.size = 0
        self.frontier: list[bytes] = []

    def add(self, leaves: Sequence[bytes]) -> list[tuple[Place, bytes]]:
        """Append leaves; the complete subtrees above them that have come into being."""
        made, self.frontier = extend(self.size, self.frontier, leaves)
        self.size += len(leaves)
        return made

    def root(self) -> bytes:
        """The root of the tree so far."""
        return fold(self.frontier)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree, given the hashes of all its leaves."""
    return fold(extend(0, [], leaves)[1])


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Whether a proof shows that a leaf is in a tree (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and result == root


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a proof shows that a tree begins with a smaller one (RFC 9162, section 2.1.4.2).

    Every tree begins with the empty one, whose root is `EMPTY`, and with itself; neither needs a
    proof, so none may be given.
    """
    if not 0 <= first <= second:
        return False
    if first == 0:
        return not path and first_root == EMPTY
    if first == second:
        return not path and first_root == second_root
    return bool(path) and _leads(first, second, first_root, second_root, path)


def _leads(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    rest = list(path)
    if first & (first - 1) == 0:
        rest.insert(0, first_root)
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
