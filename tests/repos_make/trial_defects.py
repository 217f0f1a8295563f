"""Fixtures whose defect shows when the model runs, effects and labelers."""

from __future__ import annotations

from typing import Any, List

import torch

from tests.repos_make import archives, modules
from tests.repos_make.parts import (
    EFFECT_FIELDS,
    INDICES,
    LABELER_FIELDS,
    PROBABILITIES,
    Expected,
    Fixture,
    card,
    error,
    note,
    warning,
)

_STEPS = torch.tensor([[0.0, 0.5], [0.5, 1.0]])
_SURE = torch.eye(2)


def _effect(name: str, module: Any, *expected: Expected, timeout: float = 60.0, **changes: Any) -> Fixture:
    metadata = card(EFFECT_FIELDS, **changes)
    return Fixture(name, expected, metadata, lambda: archives.scripted(module), runs=True, timeout=timeout)


def _labeler(name: str, labels: Any, places: Any, *expected: Expected, **changes: Any) -> Fixture:
    module = modules.Labeler(torch.as_tensor(labels), torch.as_tensor(places))
    form = INDICES if module.labels.dim() == 1 else PROBABILITIES
    return _labeler_of(name, module, form, *expected, **changes)


def _labeler_of(name: str, module: Any, *expected: Expected, **changes: Any) -> Fixture:
    return Fixture(name, expected, card(LABELER_FIELDS, **changes), lambda: archives.scripted(module), runs=True)


def fixtures() -> List[Fixture]:
    """All of them."""
    return [*_endings(), *_forms(), *_channels(), *_sounds(), *_labelers(), *_label_forms()]


def _endings() -> List[Fixture]:
    failing = "forward-error"
    return [
        _effect("good-effect", modules.Halves()),
        _effect("endless-loop", modules.EndlessLoop(), error("timeout", message="A block of 2,048"), timeout=2.0),
        Fixture("eats-memory", (error("out-of-memory", message="ran out of memory"),), card(),
                lambda: archives.scripted(modules.EatsMemory()), runs=True, memory=300 << 20),
        _effect("always-raises", modules.AlwaysRaises(), error(failing, message="shape '[7, -1, 11]' is invalid")),
        _effect("raises-with-escape-codes", modules.RaisesUnicode(), error(failing, message="`forward` raised")),
        _effect("raises-on-silence", modules.RaisesOnSilence(),
                error(failing, message="2,048 samples (1 channel, silence)")),
        _effect("wants-a-batch", modules.WantsABatch(), error(failing, message="Expected 3-dimensional input")),
        _effect("frames-of-1000-samples", modules.Frames(), error(failing, message="a multiple of 1,000 samples")),
        _effect("frames-of-441-samples", modules.WholeFrames(), error(failing, message="a multiple of 441 samples")),
        _effect("nan-on-one-sample", modules.OneSampleIsNotANumber(), warning("short-input", message="give NaN")),
        _effect("keeps-every-block", modules.Hoards(), warning("memory-grows", message="8,200 bytes more")),
        _effect("needs-101-samples", modules.NeedsLength(101), warning("short-input", message="has 101 samples")),
        _effect("needs-2048-samples", modules.NeedsLength(2048), warning("short-input", message="has 2,048 samples")),
        _effect("needs-2049-samples", modules.NeedsLength(2049), error("short-input", message="has 2,049 samples")),
        _effect("slower-than-real-time", modules.TakesItsTime(), warning("slow", message="The model runs at 0."),
                timeout=3.0),
    ]  # fmt: skip


def _forms() -> List[Fixture]:
    kind, shape, dtype, length = "output-type", "output-shape", "output-dtype", "output-length"
    return [
        _effect("effect-returns-none", modules.ReturnsNothing(), error(kind, message="one Tensor")),
        _effect("effect-returns-a-list", modules.ReturnsAList(), error(kind, message="a list")),
        _effect("effect-returns-three", modules.ReturnsThree(), error(kind, message="a tuple of 3 Tensors")),
        _effect("labeler-that-says-it-is-an-effect", modules.Labeler(_SURE, _STEPS),
                error(kind, message="is it a waveform-to-labels model?")),
        _labeler_of("effect-that-says-it-is-a-labeler", modules.Halves(),
                    error(kind, message="is it a waveform-to-waveform model?")),
        _effect("one-dimension", modules.Reshapes(1), error(shape, message="(channels, samples)")),
        _effect("three-dimensions", modules.Reshapes(3), error(shape, message="(channels, samples)")),
        _effect("returns-float64", modules.Converts(torch.float64), error(dtype, message="float64")),
        _effect("returns-float16", modules.Converts(torch.float16), error(dtype, message="float16")),
        _effect("returns-int16", modules.Converts(torch.int16), error(dtype, message="int16")),
        _effect("returns-a-sparse-tensor", modules.ReturnsSparse(), error(dtype, message="float32 sparse_coo")),
        _effect("returns-a-quantized-tensor", modules.ReturnsQuantized(), error(dtype, message="qint8")),
        _effect("returns-complex-numbers", modules.ReturnsComplex(), error(dtype, message="complex64")),
        _effect("returns-a-tensor-without-memory", modules.ReturnsNowhere(),
                error("device-in-code", message="uses the device")),
        _effect("changes-its-dtype", modules.ChangesItsMind(), error(dtype, message="float64"),
                warning("stateful", message="two results")),
        _effect("one-in-600-samples-lost", modules.Resizes(600, False), warning(length, message="523,415 samples out")),
        _effect("one-in-50-samples-lost", modules.Resizes(50, False), error(length, message="513,803 samples out")),
        _effect("half-as-long", modules.EverySecondSample(), error(length, message="half as many")),
        _effect("stops-after-20000-samples", modules.Stops(),
                warning("traced-length", message="stop after 20,000 samples"),
                note("block-seams", message="differ from the whole")),
        _effect("twice-as-long", modules.Resizes(1, True), error(length, message="1,048,576 samples out")),
    ]  # fmt: skip


def _channels() -> List[Fixture]:
    mismatch = "output-labels-mismatch"
    return [
        _effect("two-channels-one-label", modules.Mixes(2), error(mismatch, message="2 output channels")),
        _effect("one-channel-two-labels", modules.Halves(), error(mismatch, message="1 output channel,"),
                labels=["drums", "bass"]),
        _effect("four-channels-four-labels", modules.Mixes(4), labels=["drums", "bass", "vocals", "other"]),
        _effect("good-multichannel-effect", modules.Mixes(2), labels=["left", "right"], multichannel=True),
        _effect("stereo-left-right", modules.FollowsChannels(),
                warning(mismatch, message="1 output channel for mono blocks, and metadata.json 2 labels"),
                labels=["left", "right"], multichannel=True),
        _effect("stereo-one-label", modules.FollowsChannels(),
                warning(mismatch, message="2 output channels for stereo blocks, and metadata.json 1 label"),
                multichannel=True),
        _effect("fails-on-mono", modules.NeedsChannels(2, 2), error("fails-on-mono", message="A mono block"),
                labels=["left", "right"], multichannel=True),
        _effect("fails-on-stereo", modules.NeedsChannels(1, 1), error("fails-on-stereo", message="A stereo block"),
                multichannel=True),
    ]  # fmt: skip


def _sounds() -> List[Fixture]:
    return [
        _effect("nan-on-silence", modules.Normalizes(), error("output-not-finite", message="2,048 NaN values")),
        _effect("infinity", modules.Logarithm(), error("output-not-finite", message="infinite values"),
                note("clipping", message="The output reaches"), note("dc-offset", message="constant offset")),
        _effect("always-nan", modules.Adds(float("nan"), 0.0), error("output-not-finite", message="524,288 NaN")),
        _effect("remembers-the-last-block", modules.Counts(), warning("stateful", message="two results"),
                note("block-seams", message="differ from the whole")),
        _effect("silent", modules.Adds(1e-6, 0.0), note("silent-output", message="silent")),
        _effect("always-the-same-tone", modules.FrozenSound(), warning("ignores-input", message="the same output"),
                note("block-seams", message="differ from the whole")),
        _effect("draws-random-numbers", modules.DrawsNoise()),
        _effect("100-samples-late", modules.Delays(), note("latency", message="100 samples later"),
                note("block-seams", message="differ from the whole")),
        _effect("a-thousand-times-as-loud", modules.Adds(1000.0, 0.0), warning("clipping", message="±1000.00")),
        _effect("too-loud", modules.Adds(3.0, 0.0), note("clipping", message="±3.00 for an input within ±1.00")),
        _effect("constant-offset", modules.Adds(0.5, 0.25), note("dc-offset", message="+0.25")),
        _effect("seams-are-heard", modules.Smooths(), note("block-seams", message="differ from the whole")),
    ]  # fmt: skip


def _labelers() -> List[Fixture]:
    return [
        _labeler("good-labeler-of-probabilities", _SURE, _STEPS),
        _labeler("good-labeler-of-indices", [0, 1], _STEPS),
        _labeler("no-labels-at-all", torch.zeros(0, 2), torch.zeros(0, 2)),
        _labeler("no-indices-at-all", torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2)),
        _labeler("labels-with-gaps", _SURE, [[0.1, 0.2], [0.7, 0.8]]),
        _labeler("several-labels-at-once", [0, 1], [[0.0, 0.4], [0.2, 0.45]]),
        _labeler("labels-shorter-than-the-class-range", [0, 2], _STEPS,
                 error("label-index-out-of-range", message="0 to 2, and metadata.json has 2 labels")),
        _labeler("negative-class-index", [-1, 1], _STEPS, error("label-index-out-of-range", message="-1 to 1")),
        _labeler("three-classes-two-labels", torch.eye(3)[:2], _STEPS,
                 error("output-labels-mismatch", message="3 classes")),
        _labeler_of("labels-that-never-change", modules.FrozenLabeler(_SURE, _STEPS), PROBABILITIES,
                    error("ignores-input", message="the same labels")),
        _labeler_of("times-that-never-change", modules.FrozenTimes(_SURE, _STEPS), PROBABILITIES,
                    warning("traced-length", message="stop at 1.000 s"),
                    warning("timestamps-range", message="after the block does")),
        _labeler_of("labeler-that-needs-101-samples", modules.LabelerThatNeedsLength(_SURE, _STEPS), PROBABILITIES,
                    error("short-input", message="has 101 samples")),
        _labeler_of("timestamps-in-milliseconds", modules.LabelerInMilliseconds(_SURE, _STEPS), PROBABILITIES,
                    error("timestamps-unit", message="these look like milliseconds")),
        _labeler("logits-for-probabilities", _SURE * 9, _STEPS, warning("probabilities-range", message="0 to 9")),
    ]  # fmt: skip


def _label_forms() -> List[Fixture]:
    shape = "output-shape"
    return [
        _labeler_of("labels-of-three-dimensions", modules.Labeler(_SURE.unsqueeze(0), _STEPS),
                    error(shape, message="(steps, classes)")),
        _labeler_of("timestamps-of-one-dimension", modules.Labeler(_SURE, _STEPS[:, 0].clone()),
                    error(shape, message="(steps, 2)")),
        _labeler_of("fewer-timestamps-than-labels", modules.Labeler(_SURE, _STEPS[:1].clone()),
                    error(shape, message="2 labels")),
        _labeler_of("labeler-returns-three", modules.ReturnsThree(), error("output-type", message="a tuple of two")),
        _labeler_of("timestamps-in-whole-seconds", modules.LabelerInWholeSeconds(_SURE, torch.tensor([[0, 1], [1, 2]])),
                    PROBABILITIES, error("output-dtype", message="int64"),
                    warning("traced-length", message="stop at 2.000 s"),
                    warning("timestamps-range", message="after the block does")),
        _labeler("start-after-end", _SURE, [[0.5, 0.0], [0.5, 1.0]],
                 error("timestamps-order", message="1 do not start before they end")),
        _labeler("start-before-the-block", _SURE, [[-1.0, 0.5], [0.5, 1.0]],
                 error("timestamps-order", message="before the block")),
        _labeler("end-after-the-block", _SURE, [[0.0, 0.5], [0.5, 1.5]],
                 warning("timestamps-range", message="after the block does")),
        _labeler("label-across-a-block-border", [0, 1], [[0.25, 0.75], [0.8, 0.9]],
                 note("label-seams", message="1 of the labels")),
    ]  # fmt: skip
