"""Clips cut into blocks, and results pasted into tracks."""

from __future__ import annotations

from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

np = pytest.importorskip("numpy")

from audacitorch.hosts.tracks import PastedTrack, cut_blocks  # noqa: E402


def test_a_block_is_a_mebibyte_at_most() -> None:
    assert cut_blocks(262_145) == [262_144, 1]
    assert cut_blocks(524_289, sample_format_bytes=2) == [524_288, 1]
    assert cut_blocks(524_288, 4) == [262_144, 262_144]
    assert cut_blocks(0) == []


@given(st.integers(0, 10**8), st.sampled_from([2, 4]))
def test_blocks_hold_the_clip_and_only_the_last_is_short(total: int, sample_bytes: int) -> None:
    lengths = cut_blocks(total, sample_bytes)
    assert sum(lengths) == total
    assert all(length * sample_bytes == 2**20 for length in lengths[:-1])
    assert all(1 <= length * sample_bytes <= 2**20 for length in lengths)


@pytest.mark.parametrize(("total", "sample_bytes"), [(-1, 4), (10, 3), (10, 0)])
def test_clips_that_can_not_be_are_refused(total: int, sample_bytes: int) -> None:
    with pytest.raises(ValueError, match=r"samples"):
        cut_blocks(total, sample_bytes)


def pasted(blocks: List[Tuple[int, int]]) -> List[float]:
    """A track of results that hold their block's number (from 1), for blocks of (length, length of the result)."""
    pieces: List[np.ndarray] = []
    track = PastedTrack(pieces.append)
    start = 0
    for number, (length, result) in enumerate(blocks, 1):
        last = number == len(blocks)
        track.paste(np.full(result, number, np.float32), start, None if last else start + length)
        start += length
    track.close()
    return np.concatenate(pieces).tolist()


def by_insertion(blocks: List[Tuple[int, int]]) -> List[float]:
    """The same, as an editor does it: silence up to the start, then an insertion there."""
    track: List[float] = []
    start = 0
    for number, (length, result) in enumerate(blocks, 1):
        track += [0.0] * (start - len(track))
        track[start:start] = [float(number)] * result
        start += length
    return track


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), min_size=1, max_size=8))
def test_streaming_pastes_as_an_editor_inserts(blocks: List[Tuple[int, int]]) -> None:
    assert pasted(blocks) == by_insertion(blocks)


def test_blocks_of_their_own_length_follow_each_other() -> None:
    assert pasted([(3, 3), (2, 2)]) == [1, 1, 1, 2, 2]


def test_a_short_result_leaves_a_gap_and_a_long_one_shifts() -> None:
    assert pasted([(3, 2), (2, 2)]) == [1, 1, 0, 2, 2]
    assert pasted([(3, 4), (2, 2)]) == [1, 1, 1, 2, 2, 1]


def test_blocks_out_of_order_are_refused() -> None:
    track = PastedTrack(lambda samples: None)
    track.paste(np.ones(2, np.float32), 5, 7)
    with pytest.raises(ValueError, match="order"):
        track.paste(np.ones(2, np.float32), 0, None)
