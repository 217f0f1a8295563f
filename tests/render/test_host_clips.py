"""Clips whose tracks and labels were measured on the host's own steps: every sample and row is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")

import numpy as np  # noqa: E402

from audacitorch.trial.starters import torch_python  # noqa: E402
from tests.render import host_cases  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("host")
    host_cases.make_all(host_cases.FOLDER, folder / "models", folder / "clips")
    return folder / "models", folder / "clips"


@pytest.mark.slow
@pytest.mark.parametrize("case", host_cases.cases(), ids=lambda case: f"{case[0]} by {case[1]}")
def test_clips_come_out_as_the_host_makes_them(case: host_cases.Case, made: Tuple[Path, Path], tmp_path: Path) -> None:
    told = dict(host_cases.differences(case, *made, tmp_path))
    assert told.keys() == case[2].keys()
    assert not [line for lines in told.values() for line in lines]


def test_every_case_is_among_them() -> None:
    assert sum(len(expected) for _, _, expected in host_cases.cases()) == 39


CLIP = np.linspace(-0.5, 0.5, 1000, dtype=np.float32)
RIGHT = {"length": 1000, "at": {"0": -0.5, "999": 0.5}, "rms": [0.2889640]}


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (RIGHT, 0),
        ({**RIGHT, "length": 1001}, 1),
        ({**RIGHT, "at": {"0": -0.5, "999": 0.500002}}, 1),
        ({**RIGHT, "rms": [0.288966]}, 1),
    ],
)
def test_a_difference_is_told(wanted: Dict[str, Any], told: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", CLIP, 44100, "FLOAT")
    assert len(list(host_cases._track_differences(tmp_path / "a.wav", wanted))) == told
    assert len(list(host_cases._track_differences(tmp_path / "gone.wav", wanted))) == 1


def test_a_difference_between_label_tracks_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0.000000\t1.000000\tx\n", encoding="utf-8")
    row = ["0.000000", "1.000000", "x"]
    assert host_cases._label_differences(tmp_path / "a.txt", [row]) == []
    assert host_cases._label_differences(tmp_path / "gone.txt", None) == []
    for rows in (None, [], [row, row], [[*row[:2], "y"]]):
        assert len(host_cases._label_differences(tmp_path / "a.txt", rows)) == 1, json.dumps(rows)
