"""What a page shows beside report.json, as JSON: from the container in which the model ran to the one that renders it.

Its reader trusts nothing in it. Sounds are decoded and encoded again, and pictures are drawn again from them, so
that a page holds nothing but what this program made.
"""

from __future__ import annotations

import io
import json
import math
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from audacitorch.hear.clips import LONGEST_SECONDS, Clip
from audacitorch.hear.listening import MOST_TRACKS, Heard, HostLabels
from audacitorch.hear.pictures import Sound, ogg, sound_of
from audacitorch.hosts import HOSTS, host_named
from audacitorch.hosts.label_track import Label

#: Characters of a file that is read, of a text in it, and how many clips, labels and parts of a clip it may hold.
MOST_CHARACTERS = 16 << 20
_LONGEST_TEXT, _MOST_CLIPS, _MOST_LABELS, _MOST_PARTS, _MOST_LINES = 4_000, 8, 20_000, 64, 2_000
_HIGHEST_RATE = 396_000
#: The compression of :func:`small` sounds: libsndfile's 0 to 1, where 1 is the smallest file.
_SMALL = 0.7

#: Lines of files, by file and number.
Excerpts = Dict[Tuple[str, int], str]


def dumps(heard: Sequence[Heard], excerpts: Excerpts) -> str:
    """Clips with their sounds, and the lines that findings name, as JSON."""
    lines = [[file, number, text] for (file, number), text in excerpts.items()]
    return json.dumps({"clips": [_clip_to_json(one) for one in heard], "lines": lines})


def small(heard: Heard) -> Heard:
    """A clip whose sounds take about half of the bytes, for a registry that keeps many."""

    def again(sound: Sound) -> Sound:
        import soundfile

        if not sound.audio:
            return sound
        samples, rate = soundfile.read(io.BytesIO(sound.audio), dtype="float32", always_2d=True)
        return replace(sound, audio=ogg(samples, rate, _SMALL))

    return replace(heard, given=again(heard.given), tracks=tuple((name, again(one)) for name, one in heard.tracks))


def loads(text: str) -> Tuple[Tuple[Heard, ...], Excerpts]:
    """What :func:`dumps` wrote, or what claims to be that.

    Raises:
        ValueError: it is something else, or exceeds a limit.
    """
    import soundfile

    if len(text) > MOST_CHARACTERS:
        raise ValueError("the page's data is too large")
    try:
        data = json.loads(text)
        clips, lines = data["clips"], data["lines"][:_MOST_LINES]
        if len(clips) > _MOST_CLIPS:
            raise ValueError("there are too many clips")
        excerpts = {(_text(file), _count(number, 1 << 31)): _text(line) for file, number, line in lines}
        return tuple(_clip_from_json(one) for one in clips), excerpts
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"not the data of a page of audacitorch: {error}") from error
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise ValueError(f"a sound can't be decoded: {error}") from error


def _clip_to_json(heard: Heard) -> Dict[str, Any]:
    return {
        "title": heard.clip.title,
        "rate": heard.clip.rate,
        "samples": len(heard.clip.samples),
        "seams": list(heard.clip.seams),
        "marks": [list(mark) for mark in heard.clip.marks],
        "seconds": heard.seconds,
        "failure": heard.failure,
        "given": _sound_to_json(heard.given),
        "tracks": [[name, _sound_to_json(sound)] for name, sound in heard.tracks],
        "hidden_tracks": heard.hidden_tracks,
        "labels": [
            {"host": drawn.host.name, "problem": drawn.problem, "labels": [list(label) for label in drawn.labels]}
            for drawn in heard.labels
        ],
    }


def _sound_to_json(sound: Sound) -> Dict[str, Any]:
    audio = b64encode(sound.audio).decode("ascii")
    return {"audio": audio, "peak_db": sound.peak_db, "rms_db": sound.rms_db, "beyond": sound.beyond_full_scale}


def _clip_from_json(data: Mapping[str, Any]) -> Heard:
    rate, samples = _count(data["rate"], _HIGHEST_RATE), _count(data["samples"], _HIGHEST_RATE * 60)
    if not 0 < samples <= (LONGEST_SECONDS + 1) * rate:
        raise ValueError("a clip is empty or too long")
    seams = tuple(sorted({_count(seam, samples) for seam in data["seams"][:_MOST_PARTS]}))
    marks = tuple((_number(start), _text(name)) for start, name in data["marks"][:_MOST_PARTS])
    clip = Clip(_text(data["title"]), np.zeros((samples, 1), np.float32), rate, seams, marks)
    return Heard(
        clip,
        _sound_from_json(data["given"], rate, samples),
        _number(data["seconds"]),
        tuple((_text(name), _sound_from_json(sound, rate, samples)) for name, sound in data["tracks"][:MOST_TRACKS]),
        _count(data["hidden_tracks"], 1 << 31),
        tuple(_labels_from_json(drawn) for drawn in data["labels"][: len(HOSTS)]),
        _text(data["failure"]),
    )


def _sound_from_json(data: Mapping[str, Any], rate: int, samples: int) -> Sound:
    import soundfile

    audio = b64decode(data["audio"], validate=True)
    decoded = np.zeros((0, 1), np.float32)
    if audio:
        with soundfile.SoundFile(io.BytesIO(audio)) as file:
            if (file.format, file.samplerate) != ("OGG", rate) or file.channels > 2:
                raise ValueError("a sound is of another format than its clip")
            decoded = file.read(2 * samples, dtype="float32", always_2d=True)
    sound = sound_of(decoded, rate)
    peak, rms = (None if data[name] is None else _number(data[name]) for name in ("peak_db", "rms_db"))
    return replace(sound, peak_db=peak, rms_db=rms, beyond_full_scale=data["beyond"] is True)


def _labels_from_json(data: Mapping[str, Any]) -> HostLabels:
    labels: List[Label] = [
        Label(_number(start), _number(end), _text(text)) for start, end, text in data["labels"][:_MOST_LABELS]
    ]
    return HostLabels(host_named(_text(data["host"])), tuple(labels), _text(data["problem"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is not one")
    return value[:_LONGEST_TEXT]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a number is not one, or not finite")
    return float(value)


def _count(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("a count is not one, or exceeds its limit")
    return int(value)
