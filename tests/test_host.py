"""What Audacity does to audio around a model."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, List, Sequence

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from audacitorch import host  # noqa: E402
from audacitorch.findings import ALPHA, SPEC  # noqa: E402

pytestmark = pytest.mark.torch


def test_a_block_is_a_mebibyte_at_most() -> None:
    assert host.cut_blocks(262_145) == [262_144, 1]
    assert host.cut_blocks(524_289, sample_format_bytes=2) == [524_288, 1]
    assert host.cut_blocks(524_288, 4) == [262_144, 262_144]


@given(st.integers(0, 10**8), st.sampled_from([2, 4]))
def test_blocks_hold_the_clip_and_only_the_last_is_short(total: int, sample_bytes: int) -> None:
    lengths = host.cut_blocks(total, sample_bytes)
    assert sum(lengths) == total
    assert all(length * sample_bytes == 2**20 for length in lengths[:-1])
    assert all(1 <= length * sample_bytes <= 2**20 for length in lengths)
    assert host.block_starts(lengths) == [sum(lengths[:index]) for index in range(len(lengths))]


@pytest.mark.parametrize(("total", "sample_bytes"), [(-1, 4), (10, 3), (10, 0)])
def test_clips_that_can_not_be_are_refused(total: int, sample_bytes: int) -> None:
    with pytest.raises(ValueError, match=r"samples"):
        host.cut_blocks(total, sample_bytes)


def test_downmix_is_the_sum_and_reaches_two() -> None:
    assert torch.equal(host.downmix(torch.ones(2, 3)), torch.full((1, 3), 2.0))
    mono = torch.rand(1, 7)
    assert torch.equal(host.downmix(mono), mono)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("multichannel", [True, False])
def test_A94_channels_by_multichannel(channels: int, multichannel: bool) -> None:
    block = torch.rand(channels, 50)
    prepared = host.prepare_block(block, 44100, 44100, multichannel)
    assert tuple(prepared.shape) == ((channels if multichannel else 1), 50)
    assert torch.equal(prepared, block if multichannel else block.sum(0, keepdim=True))


def test_only_the_first_analyzer_resamples_before_it_sums() -> None:
    block = torch.rand(2, 3000, generator=torch.Generator().manual_seed(1)) * 2 - 1
    summed_first = host.resample(block.sum(0, keepdim=True), 44100, 16000)
    summed_last = host.resample(block, 44100, 16000).sum(0, keepdim=True)
    assert not torch.equal(summed_first, summed_last)
    for name, effect_type, expected in [
        (SPEC, host.ANALYZER, summed_last),
        (SPEC, host.EFFECT, summed_first),
        (ALPHA, host.ANALYZER, summed_first),
        (ALPHA, host.EFFECT, summed_first),
    ]:
        assert torch.equal(host.prepare_block(block, 44100, 16000, False, name, effect_type), expected)


@pytest.mark.parametrize(
    ("samples", "rate", "back"), [(262_144, 16000, 262_145), (262_144, 8000, 262_147), (1, 8000, 6)]
)
def test_there_and_back_adds_the_samples_that_were_measured(samples: int, rate: int, back: int) -> None:
    block = torch.rand(1, samples)
    there = host.prepare_block(block, 44100, rate, False)
    assert tuple(host.restore_block(there, rate, 44100).shape) == (1, back)


def test_restore_block_refuses_what_the_host_can_not_write() -> None:
    with pytest.raises(ValueError, match=r"not \(1, 2, 3\)"):
        host.restore_block(torch.zeros(1, 2, 3), 8000, 8000)
    with pytest.raises(TypeError, match="float32, not float64"):
        host.restore_block(torch.zeros(1, 2, dtype=torch.float64), 8000, 8000)


@pytest.mark.parametrize("channels", [0, 1, 2, 4])
@pytest.mark.parametrize("labels", [[], ["a"], ["a", "b"], ["a", "b", "a"]])
def test_A94_tracks_as_far_as_there_are_labels_and_channels(channels: int, labels: List[str]) -> None:
    output = torch.arange(channels * 3, dtype=torch.float32).reshape(channels, 3)
    tracks = host.effect_tracks([output], [0], labels, "song")
    assert [name for name, _ in tracks] == [f"song-{label}" for label in labels[:channels]]
    assert all(torch.equal(samples, output[index]) for index, (_, samples) in enumerate(tracks))


def paste_as_an_editor_does(outputs: Sequence[Any], starts: Sequence[int]) -> List[float]:
    """Pasting, one insertion after the other."""
    track: List[float] = []
    for output, start in zip(outputs, starts):
        track += [0.0] * (start - len(track))
        track = track[:start] + output[0].tolist() + track[start:]
    return track


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=6))
def test_blocks_are_pasted_at_their_own_starts(blocks: Any) -> None:
    starts = host.block_starts([length for length, _ in blocks])
    outputs = [torch.full((1, size), float(index + 1)) for index, (_, size) in enumerate(blocks)]
    tracks = host.effect_tracks(outputs, starts, ["x"], "t")
    assert [samples.tolist() for _, samples in tracks] == ([paste_as_an_editor_does(outputs, starts)] if blocks else [])


def test_a_block_without_a_channel_is_silent_in_its_track() -> None:
    outputs = [torch.ones(2, 3), torch.ones(1, 2)]
    tracks = dict(host.effect_tracks(outputs, [0, 3], ["a", "b"], "t"))
    assert tracks["t-a"].tolist() == [1, 1, 1, 1, 1]
    assert tracks["t-b"].tolist() == [1, 1, 1, 0, 0]


def test_blocks_and_starts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="1 blocks have 2 starts"):
        host.effect_tracks([torch.ones(1, 1)], [0, 1], ["a"], "t")
    with pytest.raises(ValueError, match="order"):
        host.effect_tracks([torch.ones(1, 1)] * 2, [1, 0], ["a"], "t")


def test_importing_it_brings_nothing_but_this_package_and_torch() -> None:
    """The worker imports it before it loads a model; torchaudio would add operators that the host lacks."""
    code = "import sys, torch; known = set(sys.modules); import audacitorch.host; print(*set(sys.modules) - known)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in run.stdout.split()}
    assert tops <= {"audacitorch", "__future__"}
