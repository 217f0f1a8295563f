"""Reports as checks make them, for every renderer's tests."""

from __future__ import annotations

from audacitorch.facts import Archive, Argument, Call, Metadata
from audacitorch.findings import CouldNotRun, Finding, Skipped
from audacitorch.hosts import ALPHA, HOSTS, SPEC
from audacitorch.report.model import Report, Target
from audacitorch.trial.observations import Failure, Output, Pass, TensorFacts, Trial

TOOL = {"name": "audacitorch", "version": "1.0.0", "torch": "1.9.0"}
SANDBOX = {
    "kind": "process",
    "no_new_privileges": True,
    "rlimits": {"memory": 4_000_000_000, "cpu": 300},
    "landlock": None,
    "seccomp": True,
    "network": "none",
}
EFFECT = Metadata(
    fields={
        "sample_rate": 48000,
        "domains": ["music"],
        "effect_type": "waveform-to-waveform",
        "multichannel": False,
        "labels": ["booster"],
    }
)
LABELER = Metadata(fields={**EFFECT.fields, "effect_type": "waveform-to-labels", "labels": ["cat", "dog"]})


def archive(*operators: str) -> Archive:
    calls = tuple(
        Call(operator, (Argument("Tensor"),), "code/__torch__.py", line, "")
        for line, operator in enumerate(operators, start=1)
    )
    return Archive(
        kind="torchscript",
        size=1_234_567,
        format_version=3,
        producer="PyTorch 1.9",
        members=12,
        unpacked_size=1_300_000,
        calls=calls,
        parameters=312_004,
        dtypes={"float32": 312_004},
    )


def forward_pass(samples: int, purpose: str = "whole block", seconds: float = 0.25) -> Pass:
    output = Output("tensor", (TensorFacts("float32", (1, samples), minimum=-1.0, maximum=1.0, mean=0.0, rms=0.3),))
    return Pass(purpose, "noise", 1, samples, samples, 1, seconds=seconds, output=output)


def trial(**changes: object) -> Trial:
    observed = {
        "ended": "finished",
        "stage": "forward",
        "sandbox": SANDBOX,
        "torch": "1.9.0",
        "load_seconds": 0.041,
        "passes": (forward_pass(262_144), forward_pass(1, "length", 0.001)),
        "minimum_samples": 1,
        "seam_db": -34.12,
        "realtime_factor": 0.0458,
        "peak_memory_bytes": 312_000_000,
        "seconds": 3.2,
    }
    return Trial(**{**observed, **changes})  # type: ignore[arg-type]


def effect() -> Report:
    """An effect that runs everywhere."""
    return Report(
        target=Target("folder", "booster-net", None, "ab" * 32, 1_234_567),
        findings=(Finding("block-seams", "note", HOSTS, "blockwise and whole differ by -34.1 dB", file="model.pt"),),
        trial=trial(),
        metadata=EFFECT,
        archive=archive("aten::mul", "aten::add", "aten::mul").summary(),
        tool=TOOL,
    )


def voice_activity() -> Report:
    """A model that a newer PyTorch exported: it ends the process, and thirty calls fit no schema."""
    arguments = [
        Finding(
            "operator-arguments",
            "error",
            HOSTS,
            "prim::RaiseException takes one argument, this call gives two",
            "Raise without a message, or export under Torch 1.9.0.",
            "model.pt",
            line,
            {"member": "code/__torch__.py"},
        )
        for line in range(10, 40)
    ]
    hidden = "Unknown builtin op: aten::pad.\nHere are some suggestions:\n\taten::pad_sequence\n"
    return Report(
        target=Target("hub", "snakers4/silero-vad", "0123abc", "cd" * 32, 2_300_000),
        findings=(
            *arguments,
            Finding("unknown-operator", "error", HOSTS, "Torch 1.9.0 has no aten::pad", "", "model.pt", 7),
            Finding("aborts-host", "error", HOSTS, "loading crashed the process with SIGABRT.", file="model.pt"),
            Finding("card-tag-missing", "warning", HOSTS, "no tag `audacity`", "Add it.", "README.md", 2),
        ),
        skipped=(
            Skipped("output-shape", "the model did not load"),
            Skipped("output-dtype", "the model did not load"),
        ),
        trial=trial(
            ended="signal", stage="load", signal="SIGABRT", hidden_error=hidden, passes=(), minimum_samples=None
        ),
        metadata=LABELER,
        archive=archive("aten::pad", "prim::RaiseException").summary(),
        tool=TOOL,
    )


def labeler() -> Report:
    """A labeler as the specification wants it: it ends the alphas. Its author asked for one rule to be ignored."""
    return Report(
        target=Target("hub", "someone/labels", "0123abc", "ef" * 32, 1_234_567),
        findings=(
            Finding("label-format", "error", (ALPHA,), "the labels are class probabilities", "", "model.pt"),
            Finding(
                "short-input", "warning", HOSTS, "the shortest input that works has 257 samples", "Pad.", "model.pt"
            ),
        ),
        ignored=("slow",),
        trial=trial(minimum_samples=257, left_out=("the search on stereo: out of time",)),
        metadata=LABELER,
        archive=archive("aten::conv1d").summary(),
        tool=TOOL,
    )


def undecided() -> Report:
    """A rule of ours failed: nobody knows, and it is not the author's fault."""
    return Report(
        target=Target("folder", "booster-net"),
        could_not_run=(CouldNotRun("output-shape", "KeyError: 'shape'"),),
        metadata=EFFECT,
        hosts_wanted=HOSTS,
        tool=TOOL,
    )


def static() -> Report:
    """Nothing found, and nothing run."""
    return Report(target=Target("folder", "booster-net"), static=True, metadata=EFFECT, tool=TOOL)


SAMPLES = {made.__name__: made for made in (effect, voice_activity, labeler, undecided, static)}

#: What a stranger may write anywhere, and what must never come out as it is.
HOSTILE = (
    "a\x1b[31mred\x1b]0;title\x07 \u202egnp.exe\u2066 \x9b2J\u200b\ud800\n::error::pwned\r\n"
    "##[group]x ::stop-commands::z </td></pre></code><script>alert(1)</script> @octocat #42 "
    "| cell | ` ``` `code` ![x](http://evil.example/x.png) [link](javascript:alert(1)) www.evil.example\n"
    "# heading\n| a | b |\n| - | - |\n"
)


def hostile(text: str = HOSTILE) -> Report:
    """Every string that a repo can put into a report holds ``text``."""
    failed = Pass(text, text, 1, 1, 1, 1, failure=Failure(text, text))
    return Report(
        target=Target("hub", text, text, text, 1),
        findings=(
            Finding("unknown-operator", "error", HOSTS, text, text, text, 3, {"error": text, text: [text]}),
            Finding("aborts-host", "error", (SPEC,), "ended", text, "model.pt", None, {"native_message": text}),
            Finding("label-format", "warning", (ALPHA,), text, "", None, None),
            Finding("slow", "note", HOSTS, text, text, "model.pt", 0),
        ),
        skipped=(Skipped("output-shape", text),),
        could_not_run=(CouldNotRun("output-dtype", text),),
        ignored=(text,),
        trial=trial(
            ended="signal",
            signal=text,
            reason=text,
            hidden_error=text,
            native_message=text,
            passes=(failed,),
            left_out=(text,),
            sandbox={text: text, "list": [text], "map": {text: text}},
        ),
        metadata=Metadata(fields={"labels": [text], "effect_type": text, text: text}),
        archive=Archive(kind=text, detail=text, producer=text, root_type=text, dtypes={text: 1}),
        tool=TOOL,
    )
