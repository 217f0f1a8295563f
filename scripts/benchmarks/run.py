"""How much `audacitorch run` costs: against a bare script that makes the same passes, and in memory for long files.

The model does nothing, at 16 kHz, so that what is measured is resampling and everything around the model. Ratios are
medians over pairs of runs, one of each after the other, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
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
BARE = """
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3, help="default: %(default)d")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the clip that is timed (default: %(default)g)")
    parser.add_argument("--memory", type=float, nargs="*", default=[1.0, 10.0, 60.0], metavar="MINUTES")
    options = parser.parse_args()
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
    """The ratio of a whole run to the same passes and resampling in a script that does nothing else."""
    clip = folder / "clip.wav"
    samples = stereo_clip(clip, minutes)
    ours_command = [*PROGRAM, "run", str(repo), str(clip), "-o", str(folder / "out"), "--force"]
    bare_command = [sys.executable, "-c", BARE, str(repo / "model.pt"), str(RATE), str(MODEL_RATE), str(samples)]
    ours, bare = [], []
    for _ in range(pairs):
        ours.append(seconds(ours_command))
        bare.append(seconds(bare_command))
    ratio = statistics.median(one / other for one, other in zip(ours, bare))
    print(f"audacitorch run, {minutes:g} minutes of stereo: {statistics.median(ours):.2f} s")
    print(f"bare script, the same passes and resampling: {statistics.median(bare):.2f} s")
    print(f"ratio, median of {pairs} pairs: {ratio:.2f} (at most 1.3)", flush=True)
    clip.unlink()


def seconds(command: List[str]) -> float:
    """Wall time of one run that succeeds."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT, check=True)
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
