"""Files of results: nothing of the user's is lost, and nothing is half written."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

soundfile = pytest.importorskip("soundfile")

import numpy as np  # noqa: E402

from audacitorch.hosts.label_track import Label  # noqa: E402
from audacitorch.render.results import LABEL_FORMATS  # noqa: E402
from audacitorch.render.staging import OutputError, OutputRefused, Outputs, TrackWriter  # noqa: E402


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_file_is_there_when_it_is_published_and_not_before(tmp_path: Path) -> None:
    with Outputs() as outputs:
        staged = outputs.stage(tmp_path / "new" / "a.wav")
        staged.write_text("whole")
        assert names(tmp_path / "new") == [staged.name]
        assert outputs.publish() == [tmp_path / "new" / "a.wav"]
        assert (tmp_path / "new" / "a.wav").read_text() == "whole"
    assert names(tmp_path) == ["a.wav", "new"]


def test_an_error_leaves_neither_files_nor_folders(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Outputs() as outputs:
            outputs.stage(tmp_path / "new" / "deeper" / "a.wav").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == []


def test_a_file_that_exists_is_refused_and_replaced_with_force(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("mine")
    with Outputs() as outputs:
        with pytest.raises(OutputRefused, match=r"a\.wav exists, and would be overwritten.*--force"):
            outputs.claim([tmp_path / "a.wav"])
        with pytest.raises(OutputRefused, match="is an input of this call"):
            outputs.claim([tmp_path / "a.wav"], inputs=[tmp_path / "." / "a.wav"])
    with Outputs(force=True) as outputs:
        outputs.claim([tmp_path / "a.wav"])
        outputs.stage(tmp_path / "a.wav").write_text("new")
        assert (tmp_path / "a.wav").read_text() == "mine"
    assert (tmp_path / "a.wav").read_text() == "new"


def test_a_file_that_comes_meanwhile_is_kept(tmp_path: Path) -> None:
    with Outputs() as outputs:
        outputs.claim([tmp_path / "a.wav"])
        outputs.stage(tmp_path / "a.wav").write_text("new")
        (tmp_path / "a.wav").write_text("mine")
        with pytest.raises(OutputError, match="File exists"):
            outputs.publish()
        outputs.discard()
    assert (tmp_path / "a.wav").read_text() == "mine"
    assert names(tmp_path) == ["a.wav"]


def test_a_place_that_is_still_to_be_read_is_replaced_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_text("to be read")
    with Outputs(force=True) as outputs:
        outputs.stage(tmp_path / "b.wav").write_text("new")
        outputs.publish(later=[tmp_path / "b.wav"])
        outputs.discard_unfinished()
        assert (tmp_path / "b.wav").read_text() == "to be read"
    assert (tmp_path / "b.wav").read_text() == "new"


def test_two_results_of_one_name_are_refused_even_with_force(tmp_path: Path) -> None:
    with Outputs(force=True) as outputs:
        outputs.claim([tmp_path / "a-b.wav"])
        with pytest.raises(OutputRefused, match="result of another file"):
            outputs.claim([tmp_path / "a-b.wav"])


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_in_the_way_is_refused(tmp_path: Path, force: bool) -> None:
    (tmp_path / "a.wav").mkdir()
    with Outputs(force) as outputs, pytest.raises(OutputRefused, match="it is a folder"):
        outputs.claim([tmp_path / "a.wav"])


@pytest.mark.parametrize("folder", ["/proc/nowhere", "/dev/null/below"])
def test_a_place_that_takes_no_files_is_said(folder: str) -> None:
    with Outputs() as outputs, pytest.raises(OutputError, match=r"can't be written: .+\."):
        outputs.stage(Path(folder) / "a.wav")


@pytest.mark.parametrize(("track_format", "exact"), [("wav", 0.0), ("flac", 1e-6), ("ogg", 1.0)])
def test_tracks_in_each_format(tmp_path: Path, track_format: str, exact: float) -> None:
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, 300_000).astype(np.float32)
    path = tmp_path / f"a.{track_format}"
    with Outputs() as outputs:
        writer = TrackWriter(outputs.stage(path), path, 44100, track_format, len(audio))
        for start in range(0, len(audio), 262144):
            writer.write(audio[start : start + 262144])
        writer.close()
    read, rate = soundfile.read(path, dtype="float32")
    assert (rate, len(read), writer.clipped) == (44100, len(audio), 0)
    assert np.abs(read - audio).max() <= exact


def test_flac_says_what_it_clips_and_wav_keeps_it(tmp_path: Path) -> None:
    audio = np.array([0.5, 1.5, -2.0, 1.0], dtype=np.float32)
    with Outputs() as outputs:
        for suffix in ("wav", "flac"):
            path = tmp_path / f"a.{suffix}"
            writer = TrackWriter(outputs.stage(path), path, 44100, suffix, 4)
            writer.write(audio)
            writer.close()
            assert writer.clipped == (2 if suffix == "flac" else 0)
    assert soundfile.read(tmp_path / "a.wav")[0].tolist() == audio.tolist()
    assert np.allclose(soundfile.read(tmp_path / "a.flac")[0], [0.5, 1, -1, 1], atol=1e-6)


def test_a_track_beyond_what_wav_can_count_is_rf64(tmp_path: Path) -> None:
    with Outputs() as outputs:
        path = tmp_path / "long.wav"
        writer = TrackWriter(outputs.stage(path), path, 44100, "wav", 1 << 30)
        writer.write(np.zeros(10, np.float32))
        writer.close()
    assert soundfile.info(path).format == "RF64"


def test_a_rate_that_a_format_lacks_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    with Outputs() as outputs:
        staged = outputs.stage(path)
        with pytest.raises(OutputError, match=r"FLAC at 1,000,000 Hz"):
            TrackWriter(staged, path, 1_000_000, "flac", 1)
        outputs.discard()
    assert names(tmp_path) == []


LABELS = [Label(0.5, 1.0, 'a "quoted", b'), Label(0.75, 2.0, "over\nit"), Label(3.0, 3.0, "point")]


def test_labels_as_csv() -> None:
    assert LABEL_FORMATS["csv"](LABELS, 4.0).splitlines() == [
        "start,end,label",
        '0.500000,1.000000,"a ""quoted"", b"',
        "0.750000,2.000000,over it",
        "3.000000,3.000000,point",
    ]


def test_labels_as_json() -> None:
    import json

    read = json.loads(LABEL_FORMATS["json"](LABELS, 4.0))
    assert read["seconds"] == 4.0
    assert read["labels"][1] == {"start": 0.75, "end": 2.0, "label": "over it"}


def test_labels_as_textgrid_fill_tiers_without_overlap() -> None:
    lines = [line.strip() for line in LABEL_FORMATS["TextGrid"](LABELS, 4.0).splitlines()]
    assert lines[:2] == ['File type = "ooTextFile"', 'Object class = "TextGrid"']
    assert lines.count('class = "IntervalTier"') == 2
    assert lines.count('class = "TextTier"') == 1
    assert 'text = "a ""quoted"", b"' in lines
    first = lines[lines.index('name = "labels"') : lines.index('name = "labels 2"')]
    times = [line.split(" = ")[1] for line in first[3:] if line.startswith(("xmin", "xmax"))]
    assert times == ["0.000000", "0.500000", "0.500000", "1.000000", "1.000000", "4.000000"]


def test_labels_that_touch_but_for_rounding_share_a_tier() -> None:
    grid = LABEL_FORMATS["TextGrid"]([Label(0, 5.9443083, "a"), Label(5.9443080, 7, "b")], 7.0)
    assert grid.count("IntervalTier") == 1
    assert grid.count('text = "') == 2


def test_a_textgrid_without_labels_is_one() -> None:
    grid = LABEL_FORMATS["TextGrid"]([], 2.0)
    assert "size = 1" in grid
    assert "points: size = 0" in grid
