"""Real audio through a model: tracks and labels as Audacity would show them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")

import numpy as np  # noqa: E402

from audacitorch.hosts import LIST_HOST  # noqa: E402
from audacitorch.hosts.tracks import tracks_of  # noqa: E402
from audacitorch.render.audio_file import AudioError, open_audio  # noqa: E402
from audacitorch.render.staging import Outputs  # noqa: E402
from audacitorch.trial.starters import torch_python  # noqa: E402
from tests.render.host_models import CountsCalls  # noqa: E402
from tests.render.rendered import ANALYZER, EFFECT, noise, render_clip, render_file, renderer, samples_of  # noqa: E402
from tests.trial import modules  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here")]


def test_an_effect_over_several_blocks_keeps_every_sample(tmp_path: Path) -> None:
    clip = noise(262144 * 2 + 77)
    rendering = render_clip(tmp_path, modules.Booster(), clip, EFFECT)
    assert [path.name for path in rendering.written] == ["song-boosted.wav"]
    written, rate = soundfile.read(rendering.written[0], dtype="float32", always_2d=True)
    assert rate == 44100
    assert np.array_equal(written, clip * 2)
    assert (rendering.blocks, rendering.failed, rendering.failures) == (3, 0, [])


def test_stereo_is_summed_for_a_mono_model(tmp_path: Path) -> None:
    clip = noise(1000, channels=2)
    rendering = render_clip(tmp_path, modules.Booster(), clip, EFFECT)
    assert np.allclose(samples_of(rendering.written)[0], 2 * clip.sum(axis=1), atol=1e-6)


def test_a_block_that_raises_becomes_silence_in_as_many_tracks_as_the_input_has_channels(tmp_path: Path) -> None:
    metadata = {**EFFECT, "labels": ["first", "second"], "multichannel": True}
    rendering = render_clip(tmp_path, modules.NeedsLength(1000), noise(262144 + 10, channels=2), metadata)
    first, second = samples_of(rendering.written)
    assert len(first) == len(second) == 262144 + 10
    assert not first[262144:].any()
    assert rendering.failed == 1
    assert rendering.failures == ["The block at 5.94 s (10 samples) failed: RuntimeError: too few samples."]
    mono = render_clip(tmp_path, modules.NeedsLength(1000), noise(262144 + 10), {**metadata, "labels": ["first"]})
    assert [len(samples) for samples in samples_of(mono.written)] == [262144 + 10]


def test_blocks_of_a_16_bit_project_are_twice_as_long_whatever_the_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", noise(524288 + 10), 44100, "PCM_16")
    with renderer(tmp_path, modules.Booster(), EFFECT) as started:
        assert render_file(started, tmp_path / "song.wav", tmp_path)[0].blocks == 3
    with renderer(tmp_path, modules.Booster(), EFFECT, sample_format="int16") as started:
        assert render_file(started, tmp_path / "song.wav", tmp_path)[0].blocks == 2


def test_A82_labels_are_cut_at_block_borders(tmp_path: Path) -> None:
    labels = render_clip(tmp_path, modules.Labels(), noise(262144 + 44100), ANALYZER, host=LIST_HOST).labels
    assert labels is not None
    assert [label.text for label in labels] == ["first", "second", "first", "second"]
    assert labels[2].start == pytest.approx(262144 / 44100, abs=1e-4)
    assert labels[3].end <= (262144 + 44100) / 44100 + 1e-6


def test_a_labeler_that_raises_once_draws_nothing(tmp_path: Path) -> None:

    rendering = render_clip(tmp_path, modules.AlwaysRaises(), noise(1000), ANALYZER)
    assert rendering.labels is None
    assert not rendering.complete
    assert rendering.failed == 1


@pytest.mark.parametrize("metadata", [EFFECT, ANALYZER], ids=["effect", "analyzer"])
def test_a_result_of_another_kind_ends_the_track(tmp_path: Path, metadata: dict) -> None:
    rendering = render_clip(tmp_path, modules.ReturnsNothing(), noise(100), metadata)
    assert "got NoneType" in rendering.failures[0]
    assert rendering.written == []
    assert list((tmp_path / "out").glob("*")) == []


def test_a_model_that_does_not_return_ends_in_time_and_leaves_no_file(tmp_path: Path) -> None:
    rendering = render_clip(tmp_path, modules.EndlessLoop(), noise(1000), EFFECT, seconds=1.5)
    assert "not finished after 1.5 s" in rendering.failures[0]
    assert not rendering.complete
    assert list((tmp_path / "out").glob("*")) == []


def test_a_worker_that_ended_is_started_anew_for_the_next_track(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", np.full(1000, 0.9), 44100, "FLOAT")
    soundfile.write(tmp_path / "huge.wav", np.full(1000, 1e32), 44100, "FLOAT")
    with renderer(tmp_path, modules.EndlessLoop(), EFFECT, seconds=1.5) as started:
        assert not render_file(started, tmp_path / "loud.wav", tmp_path / "out")[0].complete
        assert render_file(started, tmp_path / "huge.wav", tmp_path / "out")[0].complete


def test_a_block_on_the_way_when_the_host_gives_up_the_track_does_not_reach_the_model(tmp_path: Path) -> None:
    """The model counts its calls, and fails on the first: the next track's first block is its second call."""
    soundfile.write(tmp_path / "long.wav", noise(3 * 262144), 44100)
    soundfile.write(tmp_path / "short.wav", noise(1000), 44100)
    with renderer(tmp_path, CountsCalls(), ANALYZER) as started:
        [given_up] = render_file(started, tmp_path / "long.wav", tmp_path / "out")
        [following] = render_file(started, tmp_path / "short.wav", tmp_path / "out")
    assert (given_up.complete, given_up.blocks, given_up.failed) == (False, 1, 1)
    assert following.labels is not None
    assert [round(label.start, 4) for label in following.labels] == [0.002]


def test_a_model_that_hangs_on_a_later_block_ends_in_time(tmp_path: Path) -> None:
    clip = np.full((4 * 262144, 2), 0.5, np.float32)
    clip[: 2 * 262144] = 1e32
    rendering = render_clip(tmp_path, modules.EndlessLoop(), clip, EFFECT, seconds=3.0)
    assert (rendering.complete, rendering.blocks, rendering.failed) == (False, 3, 1)
    assert "not finished after 3 s" in rendering.failures[0]


def test_labels_make_no_path(tmp_path: Path) -> None:
    metadata = {**EFFECT, "labels": ["../../etc/passwd\x1b[0m"]}
    rendering = render_clip(tmp_path, modules.Booster(), noise(10), metadata)
    assert rendering.written[0].parent.name == "out"
    assert "/" not in rendering.written[0].name
    assert "\x1b" not in rendering.written[0].name


def test_long_names_and_equal_labels_give_files_of_their_own(tmp_path: Path) -> None:
    metadata = {**EFFECT, "labels": ["é" * 300, "é" * 299, "A", "a"]}
    with renderer(tmp_path, modules.Booster(), metadata) as started:
        paths = started.paths("ü" * 120, tmp_path, "flac")
    assert len({path.name.lower() for path in paths}) == 4
    assert all(len(path.name.encode()) < 256 for path in paths)
    for path in paths:
        path.touch()


def test_an_empty_clip_gives_empty_tracks(tmp_path: Path) -> None:
    rendering = render_clip(tmp_path, modules.Booster(), noise(0), EFFECT)
    assert soundfile.info(rendering.written[0]).frames == 0
    assert rendering.blocks == 0


def test_six_channels_are_six_mono_tracks(tmp_path: Path) -> None:
    clip = noise(300_000, channels=6)
    soundfile.write(tmp_path / "surround.wav", clip, 44100, "FLOAT")
    with renderer(tmp_path, modules.Booster(), EFFECT) as started:
        renderings = render_file(started, tmp_path / "surround.wav", tmp_path / "out")
    assert [each.written[0].name for each in renderings] == [f"surround {n}-boosted.wav" for n in range(1, 7)]
    for channel, rendering in enumerate(renderings):
        assert np.array_equal(samples_of(rendering.written)[0], clip[:, channel] * 2)


def test_samples_that_are_not_finite_are_reported(tmp_path: Path) -> None:
    clip = noise(300_000)
    clip[4410], clip[4411], clip[290_000] = np.nan, np.inf, np.nan
    notes = render_clip(tmp_path, modules.Booster(), clip, EFFECT).notes
    assert len(notes) == 1
    assert notes[0].startswith("3 samples of the input are NaN or infinite, the first at 0.10 s.")


def test_a_selection_is_rendered_alone_and_its_labels_keep_the_files_time(tmp_path: Path) -> None:
    clip = noise(44100)
    soundfile.write(tmp_path / "song.wav", clip, 44100, "FLOAT")
    [track] = tracks_of(open_audio(tmp_path / "song.wav", tmp_path), "song", start=0.25, duration=0.5)
    assert track.seconds == 0.5
    with renderer(tmp_path, modules.Booster(), EFFECT) as started, Outputs() as outputs:
        rendering = started.render(track, tmp_path / "out", outputs)
    assert np.array_equal(samples_of(rendering.written)[0], 2 * clip[11025 : 11025 + 22050, 0])
    with renderer(tmp_path, modules.Labels(), ANALYZER) as started, Outputs() as outputs:
        labels = started.render(track, tmp_path / "out", outputs).labels
    assert labels is not None
    assert labels[0].start == pytest.approx(0.25)


def test_a_selection_after_the_end_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", noise(441), 44100, "FLOAT")
    with pytest.raises(ValueError, match=r"0\.01 s long"):
        tracks_of(open_audio(tmp_path / "song.wav", tmp_path), "song", start=0.01)


def test_a_name_that_is_not_utf_8_is_read_and_written(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9sum\xe9"))
    odd.mkdir()
    soundfile.write(tmp_path / "plain.wav", noise(500), 44100, "FLOAT")
    clip = (tmp_path / "plain.wav").rename(odd / os.fsdecode(b"\xff.wav"))
    with renderer(tmp_path, modules.Booster(), EFFECT) as started:
        [rendering] = render_file(started, clip, odd)
    assert soundfile.info(os.fsencode(rendering.written[0])).frames == 500


def test_a_file_that_becomes_shorter_leaves_nothing(tmp_path: Path) -> None:
    clip = tmp_path / "song.wav"
    soundfile.write(clip, noise(600_000), 44100, "FLOAT")
    [track] = tracks_of(open_audio(clip, tmp_path), "song")
    os.truncate(clip, 1_200_000)
    with renderer(tmp_path, modules.Booster(), EFFECT) as started, Outputs() as outputs:
        with pytest.raises(AudioError, match="became shorter"):
            started.render(track, tmp_path / "out", outputs)
    assert list((tmp_path / "out").glob("*")) == []
