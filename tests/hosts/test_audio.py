"""What Audacity does to audio around a model."""

from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")


from audacitorch.hosts import ALPHA, ANALYZER, EFFECT, SPEC  # noqa: E402
from audacitorch.hosts import audio as host  # noqa: E402

pytestmark = pytest.mark.torch


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
        (SPEC, ANALYZER, summed_last),
        (SPEC, EFFECT, summed_first),
        (ALPHA, ANALYZER, summed_first),
        (ALPHA, EFFECT, summed_first),
    ]:
        assert torch.equal(host.prepare_block(block, 44100, 16000, False, name, effect_type), expected)


@pytest.mark.parametrize(
    ("samples", "rate", "back"), [(262_144, 16000, 262_145), (262_144, 8000, 262_147), (1, 8000, 6)]
)
def test_there_and_back_adds_the_samples_that_were_measured(samples: int, rate: int, back: int) -> None:
    block = torch.rand(1, samples)
    there = host.prepare_block(block, 44100, rate, False)
    assert tuple(host.restore_block(there, rate, 44100).shape) == (1, back)


def test_the_first_dimension_counts_channels_whatever_follows() -> None:
    rows = torch.arange(24.0).reshape(2, 3, 4)
    assert torch.equal(host.restore_block(rows, 8000, 8000), rows[:, 0])
    assert torch.equal(host.restore_block(rows[:1], 8000, 8000), rows[:1, 0])
    assert torch.equal(host.restore_block(rows[0, 0], 8000, 8000), torch.tensor([[0.0], [1.0], [2.0], [3.0]]))
    assert host.restore_block(torch.rand(1, 2, 100), 8000, 16000).shape == (1, 200)
    assert host.restore_block(torch.zeros(2, 0), 8000, 8000).shape == (2, 0)
    assert host.restore_block(torch.zeros(0), 8000, 8000).shape == (0, 1)


def test_restore_block_refuses_what_the_host_can_not_write() -> None:
    with pytest.raises(ValueError, match=r"not \(\)"):
        host.restore_block(torch.zeros(()), 8000, 8000)
    with pytest.raises(ValueError, match=r"an empty output of the shape \(2, 0\)"):
        host.restore_block(torch.zeros(2, 0), 8000, 16000)
    with pytest.raises(TypeError, match="float32, not float64"):
        host.restore_block(torch.zeros(1, 2, dtype=torch.float64), 8000, 8000)


def test_importing_it_brings_nothing_but_this_package_and_torch() -> None:
    """The worker imports it before it loads a model; torchaudio would add operators that the host lacks."""
    code = (
        "import sys, torch; known = set(sys.modules); import audacitorch.hosts.audio; print(*set(sys.modules) - known)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in run.stdout.split()}
    assert tops <= {"audacitorch", "__future__"}
