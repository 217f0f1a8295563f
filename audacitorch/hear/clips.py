"""Clips that show what a model does: something like music, something like speech, the trial's signals.

All are made here from a fixed seed, so no recording is shipped, and every report has the same ones.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, List, Sequence, Tuple

import numpy as np

from audacitorch.hosts.tracks import Track, tracks_of
from audacitorch.render.audio_file import AudioError, open_audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audacitorch.render.batch import Job, Selection

#: Seconds of the author's own clip that a report plays.
LONGEST_SECONDS = 12.0
#: So many files of a `run` are played, in a page of at most 3 MB.
_MOST_RENDERED = 4
_SEED = 16
_MUSIC_SECONDS, _SPEECH_SECONDS, _SIGNAL_SECONDS = 4.0, 3.0, 0.4
#: A clip is cut here, as a part of its length: two blocks, so that the seam between blocks can be seen and heard.
_SEAM = 0.55
#: Chords of four notes each, in Hz: C, A minor, F, G.
_CHORDS = (
    (130.81, 261.63, 329.63, 392.00),
    (110.00, 220.00, 261.63, 329.63),
    (87.31, 174.61, 261.63, 349.23),
    (98.00, 196.00, 246.94, 392.00),
)
#: Syllables: their first two formants in Hz, the pitch in Hz, and whether a hiss comes before.
_SYLLABLES = (
    *((700, 1220, 118, True), (300, 2290, 132, False), (500, 900, 124, True)),
    *((270, 870, 112, False), (660, 1720, 126, True), (400, 2000, 108, False)),
)


@dataclass(frozen=True)
class Clip:
    """A clip: float32 ``samples`` (samples, channels) at ``rate`` Hz, cut into blocks before each of ``seams``.

    ``marks`` name parts of it, with their start in seconds.
    """

    title: str
    samples: NDArray[Any]
    rate: int
    seams: Tuple[int, ...]
    marks: Tuple[Tuple[float, str], ...] = ()

    @property
    def seconds(self) -> float:
        """The clip's length."""
        return len(self.samples) / self.rate

    def blocks(self) -> Iterator[Tuple[int, NDArray[Any]]]:
        """Each block with its first sample."""
        borders = [0, *self.seams, len(self.samples)]
        for start, end in zip(borders, borders[1:]):
            yield start, np.ascontiguousarray(self.samples[start:end])


def standard_clips(rate: int, stereo: bool) -> List[Clip]:
    """The clips of every report, at a model's rate in Hz; the music is in stereo where the model takes it."""
    music = _music(rate)
    shown = np.stack([music, np.roll(music, rate // 90) * 0.8], axis=1) if stereo else music[:, None]
    speech, (signals, marks) = _speech(rate), _signals(rate)
    return [
        Clip("Like music", shown, rate, _seam(len(music))),
        Clip("Like speech", speech[:, None], rate, _seam(len(speech))),
        Clip("Test signals", signals[:, None], rate, (), marks),
    ]


def clip_of(path: Path) -> Clip:
    """The first seconds of an audio file, its first two channels.

    Raises:
        AudioError: it can't be read as audio, or is empty.
    """
    with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
        audio = open_audio(path, Path(scratch))
        length = min(audio.frames, int(LONGEST_SECONDS * audio.rate))
        if not length:
            raise AudioError(f"{path} has no samples.")
        samples = next(audio.blocks([length]))[:, :2]
    return Clip(path.name, np.ascontiguousarray(samples, np.float32), audio.rate, _seam(length))


def clips_of(jobs: Sequence[Job], selection: Selection, sample_format: str) -> Iterator[Clip]:
    """The beginning of each of the first files that `run` has rendered; of many channels the first.

    Raises:
        AudioError: one of them can't be read any more.
    """
    rendered = [job for job in jobs if any(rendering.blocks for rendering in job.renderings)]
    for job in rendered[:_MOST_RENDERED]:
        with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
            audio = open_audio(job.audio, Path(scratch))
            yield clip_of_track(tracks_of(audio, job.name, selection.start, selection.duration)[0], sample_format)


def clip_of_track(track: Track, sample_format: str) -> Clip:
    """The first seconds of a track, cut into blocks as the host cuts it in a project of that sample format.

    Raises:
        AudioError: it can't be read, or is empty.
    """
    end = min(track.end, track.start + int(LONGEST_SECONDS * track.audio.rate))
    blocks = list(replace(track, end=end).blocks(sample_format))
    if not blocks:
        raise AudioError(f"{track.name} has no samples.")
    title = track.name if track.start == 0 else f"{track.name}, from {track.start / track.audio.rate:.2f} s"
    seams = tuple(start - track.start for start, _ in blocks[1:])
    return Clip(title, np.concatenate([block for _, block in blocks]), track.audio.rate, seams)


def _seam(samples: int) -> Tuple[int, ...]:
    """One cut at an odd sample, none in a very short clip."""
    return (int(samples * _SEAM) | 1,) if samples > 1000 else ()


def _times(seconds: float, rate: int) -> NDArray[Any]:
    return np.arange(max(1, round(seconds * rate)), dtype=np.float64) / rate


def _music(rate: int) -> NDArray[Any]:
    """Plucked chords over a bass, with a drum and a cymbal: ``(samples,)``, float32."""
    random = np.random.default_rng(_SEED)
    beat = _MUSIC_SECONDS / (2 * len(_CHORDS))
    mixed = np.zeros(round(_MUSIC_SECONDS * rate))

    def add(start: float, sound: NDArray[Any]) -> None:
        first = round(start * rate)
        room = mixed[first : first + len(sound)]
        room += sound[: len(room)]

    for number, (bass, *notes) in enumerate(_CHORDS):
        add(2 * number * beat, 0.5 * _pluck(bass, 2 * beat, rate))
        for step, note in enumerate([*notes, notes[1]]):
            add((2 * number + step / 2) * beat, 0.3 * _pluck(note, 1.2 * beat, rate))
        time = _times(0.15, rate)
        add(
            2 * number * beat,
            0.6 * np.sin(2 * np.pi * (50 * time + 2.4 * (1 - np.exp(-time * 40)))) * np.exp(-time * 18),
        )
        for half in range(4):
            hiss = np.diff(random.standard_normal(round(0.06 * rate) + 1))
            add((2 * number + half / 2) * beat, 0.05 * hiss * np.exp(-_times(0.06, rate)[: len(hiss)] * 70))
    return _levelled(np.tanh(2.5 * mixed), 0.5)


def _pluck(note: float, seconds: float, rate: int) -> NDArray[Any]:
    time = _times(seconds, rate)
    partials = range(1, min(9, int(rate / 2 / note)) + 1)
    string = sum(np.sin(2 * np.pi * note * k * time) * np.exp(-time * (3 + 1.5 * k)) / k for k in partials)
    plucked: NDArray[Any] = np.asarray(string) * np.minimum(1.0, time * 300)
    return plucked


def _speech(rate: int) -> NDArray[Any]:
    """Voiced syllables with formants and hisses between pauses: ``(samples,)``, float32."""
    random = np.random.default_rng(_SEED + 1)
    each = _SPEECH_SECONDS / len(_SYLLABLES)
    parts: List[NDArray[Any]] = []
    for number, (first, second, pitch, hisses) in enumerate(_SYLLABLES):
        hiss = np.diff(random.standard_normal(round(0.09 * rate) + 1)) * np.hanning(round(0.09 * rate))
        pause = np.zeros(round((0.14 if number % 2 else 0.05) * rate))
        length = each - (len(pause) + hisses * len(hiss)) / rate
        parts += [0.12 * hiss] if hisses else []
        parts += [_vowel(first, second, pitch, length, rate), pause]
    return _levelled(np.concatenate(parts), 0.5)


def _vowel(first: float, second: float, pitch: float, seconds: float, rate: int) -> NDArray[Any]:
    """Harmonics of a falling pitch, as loud as three formants make them."""
    time = _times(seconds, rate)
    phase = 2 * np.pi * np.cumsum(pitch * (1.08 - 0.2 * time / seconds)) / rate
    voiced = np.zeros(len(time))
    for k in range(1, min(36, int(rate / 2 / (pitch * 1.1))) + 1):
        formants = ((first, 90, 1.0), (second, 130, 0.5), (2600, 200, 0.2))
        loudness = sum(gain / (1 + ((k * pitch - centre) / width) ** 2) for centre, width, gain in formants)
        voiced += (loudness + 0.01) * np.sin(k * phase)
    vowel: NDArray[Any] = voiced * np.sin(np.pi * np.clip(time / seconds, 0, 1)) ** 0.5
    return vowel


def _signals(rate: int) -> Tuple[NDArray[Any], Tuple[Tuple[float, str], ...]]:
    """The trial's signals one after the other, with their names."""
    random = np.random.default_rng(_SEED + 2)
    count = max(1, round(_SIGNAL_SECONDS * rate))
    time = np.arange(count) / rate
    impulse = np.zeros(count)
    impulse[count // 2] = 1.0
    noise = random.random(count) - 0.5
    parts: Sequence[Tuple[str, NDArray[Any]]] = (
        ("noise", noise),
        ("silence", np.zeros(count)),
        ("tone", 0.5 * np.sin(2 * np.pi * 440 * time)),
        ("impulse", impulse),
        ("full scale", np.sign(noise)),
    )
    marks = tuple((number * count / rate, name) for number, (name, _) in enumerate(parts))
    return np.concatenate([part for _, part in parts]).astype(np.float32), marks


def _levelled(samples: NDArray[Any], peak: float) -> NDArray[Any]:
    loudest = float(np.abs(samples).max())
    return (samples * (peak / loudest if loudest else 1.0)).astype(np.float32)
