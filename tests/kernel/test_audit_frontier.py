"""The Merkle frontier: against the vectors of Certificate Transparency and the recursion of RFC 6962."""

from __future__ import annotations

import hashlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel.audit import frontier
from usermgmt.kernel.audit.frontier import Frontier

# the inputs and roots that the certificate-transparency reference implementations share in their tests
INPUTS = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

leaves = st.lists(st.binary(max_size=40), max_size=200)


def recursion(found):
    """MTH of RFC 6962 section 2.1, word for word."""
    if not found:
        return sha256(b"").digest()
    if len(found) == 1:
        return sha256(b"\x00" + found[0]).digest()
    k = 1 << (len(found) - 1).bit_length() - 1
    return sha256(b"\x01" + recursion(found[:k]) + recursion(found[k:])).digest()


def grown(found):
    tree = Frontier()
    for leaf in found:
        tree.append(leaf)
    return tree


def test_the_empty_tree():
    assert Frontier().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert (Frontier().n, Frontier().dump()) == (0, "")


@pytest.mark.parametrize("n", range(1, 9))
def test_published_vectors(n):
    assert grown(INPUTS[:n]).root().hex() == ROOTS[n - 1]


@given(leaves)
def test_append_is_the_recursion(found):
    assert grown(found).root() == recursion(found)


@given(leaves, st.integers(0, 200), st.integers(1, 9))
def test_extend_is_append_wherever_it_is_cut(found, cut, block):
    before, frontier._BLOCK = frontier._BLOCK, block
    try:
        tree = Frontier()
        tree.extend(iter(found[:cut]))
        tree.extend(found[cut:])
    finally:
        frontier._BLOCK = before
    assert (tree.n, tree.dump(), tree.root()) == (len(found), grown(found).dump(), recursion(found))


@given(leaves, leaves)
def test_what_is_loaded_grows_like_what_was_dumped(one, two):
    tree = grown(one)
    loaded = Frontier.load(tree.n, tree.dump())
    loaded.extend(two)
    assert loaded.root() == recursion(one + two)


def test_a_copy_grows_apart():
    tree = grown(INPUTS[:3])
    twin = tree.copy()
    twin.append(INPUTS[3])
    assert (tree.root().hex(), twin.root().hex()) == (ROOTS[2], ROOTS[3])


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (1, ""), (0, "00" * 32), (2, f"{'00' * 32},{'00' * 32}"), (-1, "00" * 32), (1, "00" * 31), (1, "zz" * 32),
        (1, "AA" * 32), (1, " " + "00" * 31 + "0"), (3, "00" * 64 + ","), (3, "00" * 33 + "," + "00" * 31),
        (3, f"{'00' * 32};{'00' * 32}"),
    ],
)  # fmt: skip
def test_what_is_no_frontier_is_refused(n, text):
    with pytest.raises(ValueError, match="not the frontier"):
        Frontier.load(n, text)


@pytest.mark.parametrize("n", [1, 7, 4096, 10_000])
def test_bulk_costs_less_than_two_hashes_a_leaf(n, monkeypatch):
    calls = 0

    def counted(data):
        nonlocal calls
        calls += 1
        return hashlib.sha256(data)

    monkeypatch.setattr(frontier, "sha256", counted)
    tree = Frontier()
    tree.extend(bytes([i % 256]) * 32 for i in range(n))
    assert tree.n == n
    assert calls <= 2 * n
