"""Reading a trial's passes: which failed for which reason, and how to say where."""

from __future__ import annotations

from audacitorch.trial.observations import Pass, Trial


def where(done: Pass) -> str:
    """A pass in words: "a block of 2,048 samples (1 channel, noise)"."""
    channels = "1 channel" if done.channels == 1 else f"{done.channels} channels"
    return f"a block of {done.samples:,} samples ({channels}, {done.signal})"


def failed(done: Pass) -> bool:
    """Whether a pass raised for a reason other than memory, which is a finding of its own."""
    return done.failure is not None and not done.failure.memory


def too_short(trial: Trial, done: Pass) -> bool:
    """Whether a pass was shorter than the shortest input that works."""
    return trial.minimum_samples is not None and done.samples < trial.minimum_samples


def fails_only_on_stereo(trial: Trial, done: Pass) -> bool:
    """Whether a stereo pass failed although mono works: the channels are the reason, not the length."""
    mono_works = any(other.output is not None and other.channels == 1 for other in trial.passes)
    return failed(done) and done.channels == 2 and mono_works and not too_short(trial, done)


def failed_by_itself(trial: Trial, done: Pass) -> bool:
    """Whether a pass failed for none of the reasons that have findings of their own: length, channels, memory."""
    return failed(done) and not too_short(trial, done) and not fails_only_on_stereo(trial, done)
