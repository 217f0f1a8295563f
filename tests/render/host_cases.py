"""Clips whose tracks and labels were measured on the host's own steps, through `audacitorch run`, compared.

``python -m tests.render.host_cases FOLDER`` takes a folder with ``expected.json``: for ``model|host|clip`` either the
rows of a label track (null: there is none), or for each label the length, samples at positions and the RMS of each
65,536 samples. Models and clips come from ``make_models.py`` and ``make_wavs.py`` in that folder; without them, and
without an argument, from here. Models that are made nowhere are those of ``examples``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "data" / "host"
BLOCK = 262144
#: What the host's own steps were written down with, rounded to seven digits.
_CLOSE = 1e-6

#: Model and host, and the clips that go through it with what is expected of each.
Case = Tuple[str, str, Dict[str, Any]]


def cases(folder: Path = FOLDER) -> List[Case]:
    """The cases in ``expected.json``, in the order of their models."""
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    keys = sorted(tuple(key.split("|")) for key in expected)
    return [
        (model, host, {clip: expected[f"{model}|{host}|{clip}"] for _, _, clip in group})
        for (model, host), group in groupby(keys, key=lambda key: (key[0], key[1]))
    ]


def make_all(folder: Path, models: Path, clips: Path) -> None:
    """The cases' models and clips, by the folder's own scripts where it has them."""
    for script, target, ours in (("make_models.py", models, make_models), ("make_wavs.py", clips, make_clips)):
        if (folder / script).is_file():
            subprocess.run([sys.executable, str(folder / script), str(target)], check=True)
        else:
            ours(target)


def make_clips(folder: Path) -> None:
    """Clips of two blocks and a rest, all from one seed, in the order in which they were measured."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(3)

    def write(name: str, samples: int, rate: int, channels: int) -> None:
        seconds = np.arange(samples) / rate
        tones = [
            0.4 * np.sin(2 * np.pi * (220 * (channel + 1)) * seconds)
            + 0.3 * noise.standard_normal(samples) * np.exp(-seconds)
            for channel in range(channels)
        ]
        soundfile.write(folder / f"{name}.wav", np.stack(tones, 1).astype("f4"), rate, "FLOAT")

    for rate in (44100, 48000, 96000):
        for channels, letter in ((1, "m"), (2, "s")):
            for tail in (1, 2, 100):
                write(f"{rate // 1000}{letter}{tail}", 2 * BLOCK + tail, rate, channels)
    write("pcm16", 2 * BLOCK + 100, 44100, 1)
    write("short", 30000, 44100, 1)
    write("odd", BLOCK + 131000, 44100, 1)


def make_models(folder: Path) -> None:
    """A model repo for each of :data:`tests.render.host_models.MODELS`."""
    import torch

    from tests.render.host_models import MODELS

    usual = json.loads((ROOT / "examples" / "booster-net" / "metadata.json").read_text(encoding="utf-8"))
    for name, (module, fields) in MODELS.items():
        repo = folder / name
        repo.mkdir(parents=True, exist_ok=True)
        torch.jit.script(module.eval()).save(str(repo / "model.pt"))
        metadata = {**usual, "sample_rate": 44100, "multichannel": False, "labels": ["a"], **fields}
        (repo / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")


def differences(case: Case, models: Path, clips: Path, output: Path) -> Iterator[Tuple[str, List[str]]]:
    """Each clip of a case with what differs from what is expected, after one call of the program."""
    model, host, expected = case
    repo = models / model if (models / model).is_dir() else ROOT / "examples" / model
    files = [str(clips / f"{clip}.wav") for clip in expected]
    words = ["run", str(repo), *files, "-o", str(output), "--host", host]
    done = subprocess.run([sys.executable, "-m", "audacitorch", *words], capture_output=True, text=True, cwd=ROOT)
    for clip, wanted in expected.items():
        if done.returncode not in (0, 1):
            yield clip, [f"exit status {done.returncode}: {done.stderr.strip()}"]
        elif "labels" in wanted:
            yield clip, _label_differences(output / f"{clip}.txt", wanted["labels"])
        else:
            tracks = {label: output / f"{clip}-{label}.wav" for label in wanted}
            yield clip, [told for label in wanted for told in _track_differences(tracks[label], wanted[label])]


def _label_differences(file: Path, rows: Any) -> List[str]:
    found = file.read_text(encoding="utf-8").splitlines() if file.is_file() else None
    wanted = None if rows is None else ["\t".join(row) for row in rows]
    if found == wanted:
        return []
    if found is None or wanted is None:
        return [f"{file.name}: expected {'no' if wanted is None else 'a'} label track"]
    pairs = [pair for pair in zip(found, wanted) if pair[0] != pair[1]] or [("the end", "the end")]
    return [f"{file.name}: {len(found)} rows, expected {len(wanted)}; first {pairs[0][0]!r}, expected {pairs[0][1]!r}"]


def _track_differences(file: Path, wanted: Mapping[str, Any]) -> Iterator[str]:
    if not file.is_file():
        yield f"{file.name}: there is no such track"
        return
    samples, _ = soundfile.read(file, dtype="float32")
    if len(samples) != wanted["length"]:
        yield f"{file.name}: {len(samples)} samples, expected {wanted['length']}"
        return
    for position, value in wanted["at"].items():
        if abs(float(samples[int(position)]) - value) > _CLOSE:
            yield f"{file.name}: {samples[int(position)]:.7f} at {position}, expected {value}"
    for number, value in enumerate(wanted.get("rms", ())):
        rms = float(np.sqrt(np.square(samples[number << 16 : (number + 1) << 16].astype(np.float64)).mean()))
        if abs(rms - value) > _CLOSE:
            yield f"{file.name}: RMS {rms:.7f} from {number << 16} on, expected {value}"


def main(words: Sequence[str]) -> int:
    folder = Path(words[0]) if words else FOLDER
    agree, differ = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        models, clips = Path(scratch, "models"), Path(scratch, "clips")
        make_all(folder.resolve(), models, clips)
        for number, case in enumerate(cases(folder)):
            for clip, told in differences(case, models, clips, Path(scratch, f"out-{number}")):
                agree, differ = agree + (not told), differ + bool(told)
                print(f"{'differs' if told else 'agrees':8}{case[0]} | {case[1]} | {clip}", flush=True)
                for line in told[:5]:
                    print(f"        {line}")
    print(f"{agree} of {agree + differ} clips agree")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
