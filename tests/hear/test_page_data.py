"""The page's data on its way from the container with the model to the one that renders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from audacitorch.hear import page_data
from audacitorch.hear.clips import standard_clips
from audacitorch.hear.listening import Heard, HostLabels
from audacitorch.hear.pictures import sound_of
from audacitorch.hosts import ALPHA, SPEC
from audacitorch.hosts.label_track import Label
from audacitorch.report import __main__ as renderer
from audacitorch.report import jsonfile
from tests.report.samples import effect


def heard() -> Heard:
    clip = standard_clips(16000, stereo=False)[0]
    given = sound_of(clip.samples, clip.rate)
    labels = (HostLabels(SPEC, (Label(0.5, 1.0, "<b>cat</b>"),)), HostLabels(ALPHA, (), "No labels."))
    return Heard(clip, given, 0.25, (("loud", sound_of(2 * clip.samples, clip.rate)),), 1, labels)


def test_what_arrives_is_what_was_sent_made_anew() -> None:
    sent = heard()
    (arrived,), excerpts = page_data.loads(page_data.dumps([sent], {("metadata.json", 3): '"x": 1'}))
    assert excerpts == {("metadata.json", 3): '"x": 1'}
    assert (arrived.clip.title, arrived.clip.seconds, arrived.clip.seams) == (
        sent.clip.title,
        sent.clip.seconds,
        sent.clip.seams,
    )
    assert arrived.labels == sent.labels
    assert arrived.given.peak_db == sent.given.peak_db
    assert [name for name, _ in arrived.tracks] == ["loud"]
    assert arrived.given.audio
    assert len(arrived.given.spectrogram) > 1000


def _set(path: str, value: Any) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        *parents, last = path.split(".")
        for name in parents:
            data = data[int(name) if name.isdigit() else name]
        data[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("clips", None),
        _set("clips", [{}] * 9),
        _set("clips.0.rate", 1 << 40),
        _set("clips.0.rate", 0),
        _set("clips.0.samples", 10**12),
        _set("clips.0.samples", True),
        _set("clips.0.seams", ["<script>"]),
        _set("clips.0.marks", [[float("nan"), "x"]]),
        _set("clips.0.title", {"a": 1}),
        _set("clips.0.given", {"audio": "<script>", "peak_db": 0, "rms_db": 0, "beyond": False}),
        _set("clips.0.given", {"audio": "aGVsbG8=", "peak_db": 0, "rms_db": 0, "beyond": False}),
        _set("clips.0.given.peak_db", "<b>"),
        _set("clips.0.labels", [{"host": "nobody", "problem": "", "labels": []}]),
        _set("lines", [["metadata.json", "1", "x"]]),
    ],
)
def test_what_is_not_a_page_s_data_is_refused(change: Callable[[Any], None], tmp_path: Path) -> None:
    data = json.loads(page_data.dumps([heard()], {}))
    change(data)
    with pytest.raises(ValueError, match=r"."):
        page_data.loads(json.dumps(data))


@pytest.mark.parametrize(("text", "sounds"), [(None, True), ("[" * 100_000, False), ("{}", False)])
def test_the_renderer_shows_the_sounds_or_does_without(tmp_path: Path, text: Any, sounds: bool) -> None:
    (tmp_path / "report.json").write_text(jsonfile.render(effect()), "utf-8")
    (tmp_path / "page.json").write_text(page_data.dumps([heard()], {}) if text is None else text, "utf-8")
    words = [str(tmp_path / "report.json"), str(tmp_path / "out"), "--page-data", str(tmp_path / "page.json")]
    assert renderer.main(words) == 0
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert ("<audio" in page) is sounds
    assert "<b>cat</b>" not in page
    assert page.count("data:audio/ogg") == (2 if sounds else 0)
