"""`audacitorch run` on real audio: tracks and labels as Audacity would show them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")

import numpy as np  # noqa: E402

from audacitorch.commands.run import track_names  # noqa: E402
from audacitorch.render.renderer import AudioError, Renderer, Rendering  # noqa: E402
from audacitorch.trial.process import Worker  # noqa: E402
from audacitorch.trial.session import torch_python  # noqa: E402
from tests.trial import modules  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here")]

EFFECT = {
    "sample_rate": 44100,
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
    "labels": ["boosted"],
}
ANALYZER = {**EFFECT, "sample_rate": 16000, "effect_type": "waveform-to-labels", "labels": ["first", "second"]}

Render = Callable[..., Rendering]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    def run(module: Any, audio: Any, metadata: Any, rate: int = 44100, name: str = "song", **limits: Any) -> Rendering:
        model, clip = tmp_path / "model.pt", tmp_path / f"{name}.wav"
        torch.jit.script(module.eval()).save(str(model))
        soundfile.write(clip, audio, rate, "FLOAT")
        with Worker.in_process_sandbox(str(torch_python()), str(tmp_path), str(tmp_path / "model.pt")) as worker:
            return Renderer(model, metadata, **limits).render(worker, clip, tmp_path / "out")

    return run


def noise(samples: int, channels: int = 1) -> Any:
    return np.random.default_rng(1).uniform(-0.4, 0.4, (samples, channels)).astype(np.float32)


def test_an_effect_over_several_blocks_keeps_every_sample(render: Render) -> None:
    clip = noise(262144 * 2 + 77)
    rendering = render(modules.Booster(), clip, EFFECT)
    assert [path.name for path in rendering.written] == ["song-boosted.wav"]
    written, rate = soundfile.read(rendering.written[0], dtype="float32", always_2d=True)
    assert rate == 44100
    assert np.array_equal(written, clip * 2)
    assert rendering.failures == []


def test_stereo_is_summed_for_a_mono_model(render: Render) -> None:
    clip = noise(1000, channels=2)
    rendering = render(modules.Booster(), clip, EFFECT)
    written, _ = soundfile.read(rendering.written[0], dtype="float32")
    assert np.allclose(written, 2 * clip.sum(axis=1), atol=1e-6)


def test_a_block_that_raises_becomes_silence_and_is_told(render: Render) -> None:
    rendering = render(modules.NeedsLength(1000), noise(262144 + 10), EFFECT)
    written, _ = soundfile.read(rendering.written[0], dtype="float32")
    assert len(written) == 262144 + 10
    assert not written[262144:].any()
    assert len(rendering.failures) == 1
    assert "5.94 s (10 samples)" in rendering.failures[0]


def test_A82_labels_are_cut_at_block_borders(render: Render) -> None:
    rendering = render(modules.Labels(), noise(262144 + 44100), ANALYZER)
    lines = [line.split("\t") for line in rendering.written[0].read_text().splitlines()]
    assert [line[2] for line in lines] == ["first", "second", "first", "second"]
    assert float(lines[2][0]) == pytest.approx(262144 / 44100, abs=1e-4)
    assert float(lines[3][1]) <= (262144 + 44100) / 44100 + 1e-6


def test_a_model_that_returns_something_else_is_told(render: Render) -> None:
    rendering = render(modules.ReturnsNothing(), noise(100), EFFECT)
    assert "not a NoneType" in rendering.failures[0]


def test_a_model_that_does_not_return_ends_in_time(render: Render) -> None:
    rendering = render(modules.EndlessLoop(), noise(1000), EFFECT, seconds=1.5)
    assert "not finished after 1.5 s" in rendering.failures[0]
    assert soundfile.info(rendering.written[0]).frames == 1000


def test_labels_make_no_path(render: Render) -> None:
    metadata = {**EFFECT, "labels": ["../../etc/passwd\x1b[0m"]}
    rendering = render(modules.Booster(), noise(10), metadata)
    assert rendering.written[0].parent.name == "out"
    assert "/" not in rendering.written[0].name
    assert "\x1b" not in rendering.written[0].name


def test_files_of_one_name_overwrite_nothing() -> None:
    assert track_names([Path("a/st.wav"), Path("b/st.flac"), Path("other.wav"), Path("St.ogg")]) == [
        "st",
        "st-2",
        "other",
        "St-3",
    ]


def test_an_empty_clip_gives_empty_tracks(render: Render) -> None:
    rendering = render(modules.Booster(), noise(0), EFFECT)
    assert soundfile.info(rendering.written[0]).frames == 0


def test_more_than_two_channels_are_no_track(render: Render) -> None:
    with pytest.raises(AudioError, match="mono or stereo"):
        render(modules.Booster(), noise(10, channels=6), EFFECT)


def test_what_is_no_audio_is_told(tmp_path: Path) -> None:
    text = tmp_path / "song.wav"
    text.write_text("no audio")
    with Worker.in_process_sandbox(str(torch_python()), str(tmp_path), str(tmp_path / "model.pt")) as worker:
        with pytest.raises(AudioError, match="can't be read as audio"):
            Renderer(tmp_path / "model.pt", EFFECT).render(worker, text, tmp_path)


def test_an_audio_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with Worker.in_process_sandbox(str(torch_python()), str(tmp_path), str(tmp_path / "model.pt")) as worker:
        with pytest.raises(AudioError, match=r"nowhere\.wav can't be read as audio: No such file"):
            Renderer(tmp_path / "model.pt", EFFECT).render(worker, tmp_path / "nowhere.wav", tmp_path)


def test_a_name_that_is_not_utf_8_is_read_and_written(render: Render, tmp_path: Path) -> None:
    render(modules.Booster(), noise(500), EFFECT, name="plain")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9sum\xe9"))
    odd.mkdir()
    clip = (tmp_path / "plain.wav").rename(odd / os.fsdecode(b"\xff.wav"))
    with Worker.in_process_sandbox(str(torch_python()), str(tmp_path), str(tmp_path / "model.pt")) as worker:
        rendering = Renderer(tmp_path / "model.pt", EFFECT).render(worker, clip, odd)
    assert soundfile.info(os.fsencode(rendering.written[0])).frames == 500


def test_results_that_have_no_place_to_go_are_told(tmp_path: Path) -> None:
    clip = tmp_path / "song.wav"
    soundfile.write(clip, noise(10), 44100, "FLOAT")
    with Worker.in_process_sandbox(str(torch_python()), str(tmp_path), str(tmp_path / "model.pt")) as worker:
        with pytest.raises(AudioError, match="can't be made the folder for results"):
            Renderer(tmp_path / "model.pt", EFFECT).render(worker, clip, clip)
