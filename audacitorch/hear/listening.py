"""Clips through a model that was tried: what a report plays and draws."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from audacitorch.hear.clips import Clip
from audacitorch.hear.pictures import Sound, sound_of
from audacitorch.hosts import ANALYZER, HOSTS, Host
from audacitorch.hosts.label_track import Label
from audacitorch.render.results import LabelRows, tensor_array
from audacitorch.trial.observations import Failure, Trial
from audacitorch.trial.plan import Plan
from audacitorch.trial.session import TrialSession

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audacitorch.trial.protocol import Block

#: Seconds for all clips, and for one block; a model that needs longer is not listened to.
ALL_SECONDS, BLOCK_SECONDS = 20.0, 10.0
#: At most this many output tracks are played on the page.
MOST_TRACKS = 6
#: Bytes of all sounds together; as base64 they take a third more, and a page has at most 3 MB.
MOST_BYTES = 1_800_000


@dataclass(frozen=True)
class HostLabels:
    """What one host draws for a clip; ``problem`` says why it draws nothing."""

    host: Host
    labels: Tuple[Label, ...]
    problem: str = ""


@dataclass(frozen=True)
class Heard:
    """A clip and what the model made of it.

    ``tracks`` are an effect's outputs with the names that Audacity gives them, ``labels`` an analyzer's by host;
    ``hidden_tracks`` counts those that are left out. ``failure`` says why there is no result.
    """

    clip: Clip
    given: Sound
    seconds: float
    tracks: Tuple[Tuple[str, Sound], ...] = ()
    hidden_tracks: int = 0
    labels: Tuple[HostLabels, ...] = ()
    failure: str = ""


class Listening:
    """Sends clips through the model of a trial. Their own sounds are made while the trial runs."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self._given = [(clip, sound_of(clip.samples, clip.rate)) for clip in clips]

    def hear(self, session: TrialSession, trial: Trial, plan: Plan, metadata: Mapping[str, Any]) -> Tuple[Heard, ...]:
        """Every clip with what came of it; a clip that would take too long says so."""
        end = time.monotonic() + ALL_SECONDS
        heard: List[Heard] = []
        room = MOST_BYTES
        for clip, given in self._given:
            expected = clip.seconds * (trial.realtime_factor_slowest or 0.0)
            if time.monotonic() + expected > end:
                heard.append(Heard(clip, given, 0.0, failure="It was left out: the model is too slow for a report."))
                continue
            one = _heard(session, clip, given, plan, metadata, room)
            room -= len(given.audio) + sum(len(sound.audio) for _, sound in one.tracks)
            heard.append(one)
        return tuple(heard)


def _heard(
    session: TrialSession, clip: Clip, given: Sound, plan: Plan, metadata: Mapping[str, Any], room: int
) -> Heard:
    started = time.monotonic()
    answers: List[Tuple[int, int, Block]] = []
    for start, block in clip.blocks():
        answer = session.hear(block, start, clip.rate, BLOCK_SECONDS)
        if answer is None:
            failure = f"The model gave no result within {BLOCK_SECONDS:g} s, or ended its process."
            return Heard(clip, given, time.monotonic() - started, failure=failure)
        if answer.failure is not None:
            where = f"The block at {start / clip.rate:.2f} s ({len(block):,} samples) failed: "
            return Heard(clip, given, time.monotonic() - started, failure=where + _reason(answer.failure))
        answers.append((start, len(block), answer))
    seconds = time.monotonic() - started
    if plan.effect_type == ANALYZER:
        return Heard(clip, given, seconds, labels=tuple(_labels(clip, answers, host, metadata) for host in HOSTS))
    try:
        channels = _pasted([tensor_array(answer, 0) for _, _, answer in answers], [start for start, _, _ in answers])
    except ValueError as error:
        return Heard(clip, given, seconds, failure=f"Its result can't be played: {error}.")
    names = metadata.get("labels")
    named = [str(name) for name in names] if isinstance(names, (list, tuple)) else []
    shown, left = [], room - len(given.audio)
    for number, channel in enumerate(channels[:MOST_TRACKS]):
        sound = sound_of(channel[:, None], clip.rate)
        left -= len(sound.audio)
        if left < 0:
            break
        shown.append((named[number] if number < len(named) else f"channel {number + 1}", sound))
    return Heard(clip, given, seconds, tuple(shown), len(channels) - len(shown))


def _reason(failure: Failure) -> str:
    """The line of an exception's text that has the reason: TorchScript's stack has it last."""
    lines = failure.message.strip().splitlines() or ["no reason was given"]
    line = lines[-1] if lines[0].startswith("The following operation failed") else lines[0]
    return f"{line.strip().rstrip('.')}."


def _pasted(results: Sequence[NDArray[Any]], starts: Sequence[int]) -> List[NDArray[Any]]:
    """Each channel over all blocks: a block's result replaces everything from its start on, as Audacity pastes it.

    Raises:
        ValueError: a result is not ``(channels, samples)``.
    """
    odd = next((result.shape for result in results if result.ndim != 2 or not result.size), None)
    if odd is not None:
        raise ValueError(f"it has the shape {odd}, expected (channels, samples)")
    channels: Dict[int, NDArray[Any]] = {}
    for result, start in zip(results, starts):
        for number, channel in enumerate(result):
            before = channels.get(number, np.zeros(0, np.float32))[:start]
            gap = np.zeros(start - len(before), np.float32)
            channels[number] = np.concatenate([before, gap, channel.astype(np.float32)])
    return [channels[number] for number in sorted(channels)]


def _labels(
    clip: Clip, answers: Sequence[Tuple[int, int, Block]], host: Host, metadata: Mapping[str, Any]
) -> HostLabels:
    names = metadata.get("labels")
    threshold: Optional[Any] = metadata.get("confidence_threshold")
    rows = LabelRows(names if isinstance(names, (list, tuple)) else (), host, threshold, clip.rate)
    try:
        for start, samples, answer in answers:
            rows.add(answer, start, samples)
    except (ValueError, TypeError) as error:
        return HostLabels(host, (), f"No labels: {error}.")
    return HostLabels(host, tuple(rows.labels))
