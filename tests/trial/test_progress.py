"""What is said about a trial while it runs."""

from __future__ import annotations

from audacitorch.trial.observations import Output, Pass
from audacitorch.trial.plan import Plan, standard_passes
from audacitorch.trial.progress import PassProgress
from audacitorch.trial.protocol import Begin, Done, Loaded, Passed, Walls

PLAN = Plan("model.pt", "waveform-to-waveform", 44100, False, seconds=300.0, passes=standard_passes(False))


def begun(purpose: str, samples: int) -> Begin:
    return Begin(Pass(purpose, "noise", 1, samples, samples, 1))


def passed(purpose: str, samples: int, seconds: float) -> Passed:
    return Passed(Pass(purpose, "noise", 1, samples, samples, 1, seconds=seconds, output=Output("tensor")))


def test_which_pass_runs_and_what_is_left_is_said() -> None:
    progress = PassProgress(PLAN)
    assert progress.text(Walls({}, 0)) == "Loading the model"
    assert progress.text(Loaded(0.1, 0)) == "Looking at what Torch compiled"
    first = progress.text(begun("first", 2048)) or ""
    assert first.startswith("Running the model: pass 1 of 17, 2,048 samples, up to ")
    assert progress.text(passed("first", 2048, 9.0)) is None
    for planned in PLAN.passes[1:12]:
        progress.text(begun(planned.purpose, planned.samples))
        progress.text(passed(planned.purpose, planned.samples, planned.samples / 44100))
    left = sum(planned.samples for planned in PLAN.passes[12:]) / 44100
    wanted = f"Running the model: pass 13 of 17, 262,144 samples, up to {left:.0f} s left"
    assert progress.text(begun("length", 262144)) == wanted
    assert progress.text(begun("search", 129)) == "Searching for lengths that work: 129 samples"
    assert progress.text(Done(1.0, 0)) is None


def test_no_more_time_is_promised_than_there_is() -> None:
    progress = PassProgress(PLAN)
    progress.text(begun("length", 1))
    progress.text(passed("length", 1, 200.0))
    assert (progress.text(begun("length", 2)) or "").endswith("up to 300 s left")
