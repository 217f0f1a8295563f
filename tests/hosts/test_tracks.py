"""Clips cut into blocks, and results pasted into tracks."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

np = pytest.importorskip("numpy")

from audacitorch.hosts.tracks import PastedTrack, cut_blocks  # noqa: E402

#: (length of the block, length of its result)
Blocks = Sequence[Tuple[int, int]]


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


def test_a_selection_keeps_to_the_borders_of_the_clips_blocks() -> None:
    assert cut_blocks(600_000, start=100_000) == [162_144, 262_144, 75_712]
    assert cut_blocks(600_000, start=100_000, end=300_000) == [162_144, 37_856]
    assert cut_blocks(600_000, start=500_000, end=500_001) == [1]


def test_the_rest_of_a_block_is_read_together_with_a_short_last_one() -> None:
    assert cut_blocks(262_144 + 1000, start=262_044) == [1100]
    assert cut_blocks(2 * 262_144, start=262_044) == [100, 262_144]


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_selection_is_read_once_and_whole(total: int, first: int, second: int) -> None:
    start, end = sorted((min(first, total), min(second, total)))
    lengths = cut_blocks(total, start=start, end=end)
    assert sum(lengths) == end - start
    assert all(1 <= length <= 262_144 for length in lengths)


@pytest.mark.parametrize(("total", "sample_bytes"), [(-1, 4), (10, 3), (10, 0)])
def test_clips_that_can_not_be_are_refused(total: int, sample_bytes: int) -> None:
    with pytest.raises(ValueError, match=r"samples"):
        cut_blocks(total, sample_bytes)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (3, 2), (0, 11)])
def test_selections_outside_of_the_clip_are_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="within"):
        cut_blocks(10, start=start, end=end)


def pasted(blocks: Blocks) -> List[float]:
    """A track of results that hold their block's number (from 1)."""
    pieces: List[Any] = []
    track = PastedTrack(pieces.append, sum(length for length, _ in blocks))
    start = 0
    for number, (length, result) in enumerate(blocks, 1):
        track.paste(np.full(result, number, np.float32), start)
        start += length
    track.finish()
    return [float(value) for value in np.concatenate([np.empty(0), *pieces])]


def edited(blocks: Blocks) -> List[float]:
    """The same on a whole track: silence up to the start, everything up to the end replaced."""
    end = sum(length for length, _ in blocks)
    track: List[float] = []
    start = 0
    for number, (length, result) in enumerate(blocks, 1):
        if result > 0:
            gap = start - len(track)
            if gap > 1 or (gap == 1 and not track):
                track += [0.0] * gap
            track = track[:start] + [float(number)] * result + track[max(start, end) :]
        start += length
    return track


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 14)), min_size=1, max_size=8))
@example([(3, 2), (3, 2), (3, 2)])
def test_streaming_pastes_as_an_editor_replaces(blocks: Blocks) -> None:
    assert pasted(blocks) == edited(blocks)


def test_blocks_of_their_own_length_follow_each_other() -> None:
    assert pasted([(3, 3), (2, 2)]) == [1, 1, 1, 2, 2]


def test_the_surplus_of_a_long_result_is_deleted_by_the_next_block() -> None:
    assert pasted([(3, 4), (3, 3)]) == [1, 1, 1, 2, 2, 2]


def test_the_last_block_keeps_its_whole_length() -> None:
    assert pasted([(3, 3), (2, 4)]) == [1, 1, 1, 2, 2, 2, 2]


def test_what_reaches_past_the_end_of_the_selection_stays_behind_later_results() -> None:
    assert pasted([(3, 7), (2, 2)]) == [1, 1, 1, 2, 2, 1, 1]


def test_a_short_result_leaves_a_gap_of_silence() -> None:
    assert pasted([(4, 2), (2, 2)]) == [1, 1, 0, 0, 2, 2]


def test_a_gap_of_one_sample_is_closed_and_shifts_what_follows() -> None:
    assert pasted([(3, 2), (2, 2)]) == [1, 1, 2, 2]
    assert pasted([(3, 2), (3, 2), (3, 3)]) == [1, 1, 2, 2, 0, 0, 3, 3, 3]


def test_an_empty_result_changes_nothing() -> None:
    assert pasted([(3, 5), (2, 0), (2, 2)]) == [1, 1, 1, 1, 1, 3, 3]
    assert pasted([(3, 3), (2, 0)]) == [1, 1, 1]


def test_a_track_without_results_is_empty() -> None:
    assert pasted([(3, 0), (2, 0)]) == []


def test_no_more_is_held_than_a_result() -> None:
    written: List[int] = []
    track = PastedTrack(lambda samples: written.append(len(samples)), 10**6)
    for start in range(0, 10**6, 1000):
        track.paste(np.ones(1010, np.float32), start)
        assert sum(written) == start
    track.finish()
    assert sum(written) == track.length == 10**6 + 10


def test_a_long_gap_is_written_in_pieces() -> None:
    written: List[int] = []
    track = PastedTrack(lambda samples: written.append(len(samples)), 10**6)
    track.paste(np.ones(1, np.float32), 0)
    track.paste(np.ones(1, np.float32), 999_999)
    track.finish()
    assert max(written) <= 65536
    assert sum(written) == 10**6


@pytest.mark.parametrize("start", [4, 11])
def test_blocks_out_of_order_or_of_the_selection_are_refused(start: int) -> None:
    track = PastedTrack(lambda samples: None, 10)
    track.paste(np.ones(2, np.float32), 5)
    with pytest.raises(ValueError, match="order"):
        track.paste(np.ones(2, np.float32), start)
