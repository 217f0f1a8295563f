"""Clips through real models, by the worker that made their trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Tuple

import pytest
import torch

from audacitorch.check import Options, check
from audacitorch.hosts import HOSTS
from audacitorch.repo.model_repo import FolderRepo
from audacitorch.report.model import Report
from audacitorch.trial.starters import worker_starter
from tests import made
from tests.repos_make.parts import LABELER_FIELDS

pytestmark = pytest.mark.torch


class Halves(torch.nn.Module):
    """Two tracks: half as loud, and turned over."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x * 0.5, -x])


class RaisesOnLong(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] == 97021:
            raise ValueError("too <b>long</b>")
        return x


class EndsWithItsProcess(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] == 97021:
            return torch.zeros(1 << 45)
        return x


class Indices(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        half = x.shape[1] / 88200.0
        return torch.tensor([1, 0]), torch.tensor([[0.0, half], [half, 2.0 * half]]) + 0.0 * x.mean()


def heard(folder: Path, module: Any, base: Any = None) -> Report:
    repo = made.repo(folder, module, base)
    return check(FolderRepo(repo), Options(sounds=True), worker_starter(many=True))


def test_every_track_is_heard_at_its_level(tmp_path: Path) -> None:
    report = heard(tmp_path, Halves())
    assert [one.clip.title for one in report.heard] == ["Like music", "Like speech", "Test signals"]
    for one in report.heard:
        assert one.failure == ""
        (_, half), (_, turned) = one.tracks
        assert half.peak_db == pytest.approx(one.given.peak_db - 6.02, abs=0.01)
        assert turned.rms_db == pytest.approx(one.given.rms_db, abs=0.01)


def test_a_clip_on_which_the_model_raises_says_so_and_the_others_are_heard(tmp_path: Path) -> None:
    music, *others = heard(tmp_path, RaisesOnLong()).heard
    assert music.failure.startswith("The block at 0.00 s (97,021 samples) failed: ")
    assert all(one.tracks and not one.failure for one in others)


@pytest.mark.slow
def test_sounds_change_no_verdict(tmp_path: Path) -> None:
    repo = made.repo(tmp_path, EndsWithItsProcess())
    plain = made.checked(repo)
    with_sounds = check(FolderRepo(repo), Options(sounds=True), worker_starter(many=True))
    assert with_sounds.heard[0].failure
    assert {f.rule for f in with_sounds.findings} == {f.rule for f in plain.findings}
    assert with_sounds.verdict == plain.verdict


def test_labels_are_those_of_each_host(tmp_path: Path) -> None:
    report = heard(tmp_path, Indices(), LABELER_FIELDS)
    spec, alpha = report.heard[0].labels
    assert (spec.host, alpha.host) == HOSTS
    assert {label.text for label in spec.labels} == {"cat"}  # the argmax over one index
    assert {label.text for label in alpha.labels} == {"cat", "dog"}
    seam = report.heard[0].clip.seams[0] / 44100
    assert any(abs(label.start - seam) < 0.01 for label in alpha.labels)


def test_without_a_page_nothing_is_listened_to(tmp_path: Path) -> None:
    assert made.checked(made.repo(tmp_path, Halves())).heard == ()


def test_a_model_that_is_too_slow_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audacitorch.hear.listening.ALL_SECONDS", -1.0)
    report = heard(tmp_path, Halves())
    assert all("too slow" in one.failure and not one.tracks for one in report.heard)


def test_of_many_tracks_the_page_keeps_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audacitorch.hear.listening.MOST_BYTES", 150_000)
    report = heard(tmp_path, Halves())
    sounds = [sound for one in report.heard for sound in (one.given, *(track for _, track in one.tracks))]
    assert sum(len(sound.audio) for sound in sounds) < 250_000
    assert any(one.hidden_tracks for one in report.heard)
