"""What each host makes of an analyzer's output, and label track files."""

from __future__ import annotations

import math
from typing import Any, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audacitorch.hosts import ALPHA, SPEC, Host
from audacitorch.hosts.label_track import Label, block_labels, format_label_track, insert_labels

HOSTS = (SPEC, ALPHA)
NAMES = ["a", "b", "c"]
A, B, C = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]


def steps(count: int) -> List[List[float]]:
    return [[float(step), step + 1.0] for step in range(count)]


def test_spec_takes_the_most_probable_class_and_joins_neighbours() -> None:
    labels = block_labels([A, A, B, A], steps(4), NAMES, SPEC, 10)
    assert labels == [(0, 2, "a"), (2, 3, "b"), (3, 4, "a")]


def test_spec_clips_ends_to_the_block_and_draws_start_after_end() -> None:
    assert block_labels([A, B], [[0.0, 5.0], [4.0, 3.0]], NAMES, SPEC, 2.5) == [(0, 2.5, "a"), (4, 2.5, "b")]


def test_A31_predictions_below_the_confidence_threshold_are_uncertain() -> None:
    labels = block_labels([A, C, B], steps(3), NAMES, SPEC, 10, threshold=0.7)
    assert [label.text for label in labels] == ["a", "uncertain", "b"]
    assert block_labels([C], steps(1), NAMES, SPEC, 10, threshold=0.6) == [(0, 1, "c")]


def test_neighbours_that_are_uncertain_become_one_label() -> None:
    assert block_labels([A, B], steps(2), NAMES, SPEC, 10, threshold=0.9) == [(0, 2, "uncertain")]


def test_under_the_specifications_argmax_an_index_is_always_the_first_label() -> None:
    assert block_labels([2, 2, 0], steps(3), NAMES, SPEC, 10, threshold=0.9) == [(0, 3, "a")]


def test_argmax_is_torchs_for_ties_and_nan() -> None:
    assert block_labels([[0.5, 0.5, 0.1]], steps(1), NAMES, SPEC, 10)[0].text == "a"
    assert block_labels([[0.5, math.nan, 0.9]], steps(1), NAMES, SPEC, 10)[0].text == "b"


def test_alphas_join_overlapping_and_touching_steps_of_one_class() -> None:
    stamps = [[0.0, 1.0], [0.5, 2.0], [2.0, 3.0], [3.5, 4.0], [0.2, 0.3]]
    assert block_labels([0, 0, 0, 0, 0], stamps, NAMES, ALPHA, 1) == [(0, 3, "a"), (3.5, 4, "a")]


def test_alphas_join_by_class_whatever_lies_between_and_whatever_the_order() -> None:
    stamps = [[1.0, 2.0], [0.0, 3.0], [0.0, 1.0]]
    assert block_labels([0, 1, 0], stamps, NAMES, ALPHA, 9) == [(0, 2, "a"), (0, 3, "b")]


def test_alphas_keep_ends_beyond_the_block_and_drop_start_after_end() -> None:
    stamps = [[0.0, 5.0], [4.0, 3.0], [2.0, 2.0]]
    assert block_labels([0, 1, 2], stamps, NAMES, ALPHA, 1) == [(0, 5, "a"), (2, 2, "c")]


def test_A90_alphas_refuse_probabilities() -> None:
    with pytest.raises(ValueError, match=r"class indices \(steps,\)"):
        block_labels([A], steps(1), NAMES, ALPHA, 1)


@pytest.mark.parametrize("index", [3, -1, 10**9])
def test_A2_an_index_outside_labels_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match=f"class {index}, and there are 3 labels"):
        block_labels([index], steps(1), NAMES, ALPHA, 1)


def test_A2_more_classes_than_labels_are_refused_once_one_is_chosen() -> None:
    assert block_labels([[0.9, 0.1, 0, 0]], steps(1), NAMES, SPEC, 1)[0].text == "a"
    with pytest.raises(ValueError, match="class 3"):
        block_labels([[0, 0.1, 0, 0.9]], steps(1), NAMES, SPEC, 1)


@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_T4_gaps_overlaps_and_no_labels_at_all(host: Host) -> None:
    first, second = (A, B) if host is SPEC else (0, 1)
    assert block_labels([], [], NAMES, host, 1) == []
    assert block_labels([first, second], [[0.0, 2.0], [1.0, 3.0]], NAMES, host, 9) == [(0, 2, "a"), (1, 3, "b")]
    gap = block_labels([first, second], [[0.0, 1.0], [5.0, 6.0]], NAMES, host, 9)
    assert gap == [(0, 1, "a"), (5, 6, "b")]


def test_alphas_never_look_at_rows_and_columns_that_are_too_much() -> None:
    assert block_labels([0], [[0.0, 1.0, 9.0], [5.0, 6.0, 7.0]], NAMES, ALPHA, 9) == [(0, 1, "a")]
    with pytest.raises(ValueError, match="2 predictions have 1 timestamps"):
        block_labels([0, 1], [[0.0, 1.0]], NAMES, ALPHA, 9)


def test_alphas_join_labels_of_one_text_and_draw_them_again_for_each_class() -> None:
    stamps = [[0.0, 1.0], [1.0, 2.0], [3.0, 4.0]]
    assert block_labels([0, 1, 2], stamps, ["x", "x", "z"], ALPHA, 9) == [(0, 2, "x"), (0, 2, "x"), (3, 4, "z")]


@pytest.mark.parametrize(
    ("predictions", "timestamps", "message"),
    [
        ([0, 1], [[0.0, 1.0]], "2 predictions have 1 timestamps"),
        ([0], [[0.0, 1.0, 2.0]], "timestamp 0 has 3 values"),
        ([0], [[0.0, math.nan]], "timestamp 0 is not finite"),
        ([0], [[-math.inf, 0.0]], "timestamp 0 is not finite"),
        ([[]], [[0.0, 1.0]], "prediction 0 has no classes"),
        ([[[0.5]]], [[0.0, 1.0]], "more dimensions"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(predictions: Any, timestamps: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        block_labels(predictions, timestamps, NAMES, SPEC, 1)


def test_A82_labels_of_blocks_are_not_joined_and_lie_by_start_over_the_whole_track() -> None:
    track: List[Label] = []
    insert_labels(track, [Label(0, 1, "a"), Label(3, 4, "late")])
    insert_labels(track, [Label(1, 2, "a"), Label(2, 3, "b")])
    assert track == [(0, 1, "a"), (1, 2, "a"), (2, 3, "b"), (3, 4, "late")]


def test_labels_that_start_together_lie_in_reverse_because_each_goes_before_the_others() -> None:
    track: List[Label] = []
    insert_labels(track, [Label(0, 1, "x"), Label(0, 2, "y"), Label(0, 3, "z")])
    assert [label.text for label in track] == ["z", "y", "x"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_insertion_is_that_of_a_loop_from_the_front(rows: Any) -> None:
    track: List[Label] = []
    plain: List[Label] = []
    for number, (start, end) in enumerate(rows):
        label = Label(start, end, str(number))
        insert_labels(track, [label])
        position = 0
        while position < len(plain) and plain[position].start < start:
            position += 1
        plain.insert(position, label)
    assert track == plain


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(0, 20))))
def test_alphas_leave_no_two_labels_of_a_class_that_touch(rows: Any) -> None:
    labels = block_labels([r[0] for r in rows], [[r[1], r[2]] for r in rows], NAMES, ALPHA, 5)
    for index, name in enumerate(NAMES):
        own = [label for label in labels if label.text == name]
        assert all(earlier.end < later.start for earlier, later in zip(own, own[1:]))
        covered = {tick for r in rows if r[0] == index for tick in range(r[1], r[2] + 1)}
        assert {tick for label in own for tick in range(int(label.start), int(label.end) + 1)} == covered


def test_a_label_track_has_six_decimals_and_a_line_a_label() -> None:
    assert format_label_track([Label(0, 1 / 3, "a"), Label(10, 1e5, "b c")]) == (
        "0.000000\t0.333333\ta\n10.000000\t100000.000000\tb c\n"
    )
    assert format_label_track([Label(-1e-9, 0.0, "a")]) == "0.000000\t0.000000\ta\n"


@given(st.text(st.characters()))
def test_no_text_breaks_a_line_or_a_field(text: str) -> None:
    line = format_label_track([Label(0, 1, text)])
    line.encode("utf-8")
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert line.count("\t") == 2


def test_escape_codes_and_half_surrogates_are_not_written() -> None:
    written = format_label_track([Label(0, 1, "a\tb\r\n\x1b[31mé\ud800\u2028")])
    assert written == "0.000000\t1.000000\ta b   [31mé\ufffd \n"
