from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.engine.blocks import Blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray


def wanted(height: int, width: int, share: float, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((height, width)) < share


def numbered(height: int, width: int) -> NDArray[np.float32]:
    """A grid whose nodes all differ, none of them 0."""
    return np.arange(1, height * width + 1, dtype=np.float32).reshape(height, width)


sizes = st.integers(1, 23)
sides = st.integers(1, 5)


@settings(deadline=None)
@given(sizes, sizes, sides, st.sampled_from([0.0, 0.02, 0.3, 1.0]))
def test_every_wanted_node_is_in_one_block_and_no_block_is_without(
    height: int, width: int, side: int, share: float
) -> None:
    nodes = wanted(height, width, share)
    blocks = Blocks.covering(nodes, side)
    taken = blocks.taken(nodes, fill=0)
    assert taken.sum() == nodes.sum()
    assert taken[..., :-1].any(axis=(0, 1)).all()
    assert taken.shape == (side, side, blocks.count + 1)


@settings(deadline=None)
@given(sizes, sizes, sides)
def test_what_is_taken_stands_at_its_place(height: int, width: int, side: int) -> None:
    grid = numbered(height, width)
    blocks = Blocks.covering(wanted(height, width, 0.2), side)
    framed = np.zeros((height + side, width + side), np.float32)
    framed[:height, :width] = grid
    assert np.array_equal(blocks.taken(grid, fill=0)[..., :-1], framed[blocks.places()])
    assert not blocks.taken(grid, fill=0)[..., -1].any()


@settings(deadline=None)
@given(sizes, sizes, sides, st.data())
def test_around_a_block_is_what_its_neighbours_hold_and_else_nothing(
    height: int, width: int, side: int, data: st.DataObject
) -> None:
    reach = data.draw(st.integers(0, side))
    blocks = Blocks.covering(wanted(height, width, 0.1, seed=3), side)
    values = blocks.taken(numbered(height, width), fill=0)
    whole = np.zeros(tuple((extent + 2) * side for extent in blocks.grid.shape), np.float32)
    rows, columns = blocks.places()
    whole[rows + side, columns + side] = values[..., :-1]
    rows, columns = blocks.places(reach)
    wide = blocks.widened(values[None], reach)
    assert np.array_equal(wide[0], whole[rows + side, columns + side])


@pytest.mark.parametrize("side", [1, 4])
def test_a_grid_without_a_wanted_node_has_no_block(side: int) -> None:
    blocks = Blocks.covering(np.zeros((6, 7), np.bool_), side)
    assert blocks.count == 0
    assert blocks.widened(np.zeros((1, side, side, 1), np.float32), 1).size == 0
