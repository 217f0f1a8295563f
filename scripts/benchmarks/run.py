"""How much `audacitorch run` costs: against a bare script that does the same work, and in memory for long files.

The model does nothing, at 16 kHz, so that what is measured is resampling and everything around the model. Ratios are
medians over pairs of runs, one of each after the other, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "audacitorch"]
RATE, MODEL_RATE = 44100, 16000
PASSES = """
import sys, torch
from audacitorch.hosts.audio import resample
model = torch.jit.load(sys.argv[1]).eval()
track, rate, left = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
blocks = {}
with torch.no_grad():
    while left:
        samples = min(left, 262144)
        block = blocks.setdefault(samples, torch.rand(2, samples) - 0.5)
        resample(model(resample(block.sum(0, keepdim=True), track, rate)), rate, track)
        left -= samples
"""
BARE = """
import sys, soundfile, torch
from audacitorch.hosts.audio import resample
model = torch.jit.load(sys.argv[1]).eval()
track, rate = int(sys.argv[2]), int(sys.argv[3])
with torch.no_grad(), soundfile.SoundFile(sys.argv[4]) as source, \\
        soundfile.SoundFile(sys.argv[5], "w", track, 1, "FLOAT") as target:
    for block in source.blocks(262144, dtype="float32", always_2d=True):
        mono = torch.from_numpy(block.T.copy()).sum(0, keepdim=True)
        result = resample(model(resample(mono, track, rate)), rate, track)
        target.write(result[0, : len(block)].numpy())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3, help="rounds, one run of each (default: %(default)d)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the clip that is timed (default: %(default)g)")
    parser.add_argument("--memory", type=float, nargs="*", default=[1.0, 10.0, 60.0], metavar="MINUTES")
    options = parser.parse_args()
    compileall.compile_dir(ROOT / "audacitorch", quiet=1)  # as an installer does it
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        repo = model_repo(folder / "nothing")
        compare_with_bare_script(repo, folder, options.minutes, options.pairs)
        for minutes in options.memory:
            show_memory(repo, folder, minutes)


def model_repo(folder: Path) -> Path:
    """A model repo whose model returns its input."""
    import torch

    class Nothing(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    folder.mkdir()
    model: Any = Nothing
    torch.jit.script(model()).save(str(folder / "model.pt"))
    fields = json.loads((ROOT / "examples" / "booster-net" / "metadata.json").read_text(encoding="utf-8"))
    fields.update(sample_rate=MODEL_RATE, multichannel=False, labels=["same"])
    (folder / "metadata.json").write_text(json.dumps(fields), encoding="utf-8")
    return folder


def stereo_clip(path: Path, minutes: float) -> int:
    """Noise in 16-bit stereo; returns its length in samples."""
    noise = np.random.default_rng(0).uniform(-0.4, 0.4, (RATE, 2)).astype(np.float32)
    total = round(minutes * 60 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for start in range(0, total, RATE):
            file.write(noise[: total - start])
    return total


def compare_with_bare_script(repo: Path, folder: Path, minutes: float, pairs: int) -> None:
    """The ratio of a whole run to a script that does the same work, and to the passes and resampling alone."""
    clip = folder / "clip.wav"
    samples = stereo_clip(clip, minutes)
    model = [str(repo / "model.pt"), str(RATE), str(MODEL_RATE)]
    commands = {
        "audacitorch run": [*PROGRAM, "run", str(repo), str(clip), "-o", str(folder / "out"), "--force"],
        "bare script: reads, passes, resampling, writes": [
            *(sys.executable, "-c", BARE, *model, str(clip), str(folder / "bare.wav"))
        ],
        "the passes and resampling alone": [sys.executable, "-c", PASSES, *model, str(samples)],
    }
    taken: Dict[str, List[float]] = {what: [] for what in commands}
    for _ in range(pairs):
        for what, command in commands.items():
            taken[what].append(seconds(command))
    ours, bare, passes = taken.values()
    print(f"{minutes:g} minutes of stereo, median of {pairs} rounds:")
    for what, times in taken.items():
        print(f"{what}: {statistics.median(times):.2f} s")
    print(f"ratio to the bare script: {ratio(ours, bare):.2f} (at most 1.3)")
    print(f"ratio to the passes and resampling alone: {ratio(ours, passes):.2f}", flush=True)
    clip.unlink()


def ratio(ours: List[float], others: List[float]) -> float:
    """The median over rounds."""
    return statistics.median(one / other for one, other in zip(ours, others))


def seconds(command: List[str]) -> float:
    """Wall time of one run that succeeds."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # as in our worker: on a busy machine it decides
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT, check=True, env=environment)
    return time.perf_counter() - start


def show_memory(repo: Path, folder: Path, minutes: float) -> None:
    """The most memory that the program and its worker held."""
    clip = folder / "clip.wav"
    stereo_clip(clip, minutes)
    command = [*PROGRAM, "run", str(repo), str(clip), "-o", str(folder / "out"), "--force"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    peaks: Dict[int, int] = {}
    while process.poll() is None:
        for pid in [process.pid, *children(process.pid)]:
            peaks[pid] = max(peaks.get(pid, 0), peak_memory(pid))
        time.sleep(0.05)
    own = peaks.pop(process.pid, 0)
    print(
        f"{minutes:g} minutes of stereo: program {own / 2**20:.0f} MiB, worker {max(peaks.values()) / 2**20:.0f} MiB, "
        f"exit status {process.returncode}",
        flush=True,
    )
    clip.unlink()


def children(pid: int) -> List[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in text.split()]


def peak_memory(pid: int) -> int:
    """Bytes; 0 for a process that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


if __name__ == "__main__":
    main()
