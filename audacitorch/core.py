"""The base classes that make a PyTorch model one that Audacity can run: scriptable and traceable under Torch 1.9.0.

No ``from __future__ import annotations`` here: ``torch.jit.script`` of 1.9.0 reads annotations as they are. The
checks are compiled into a scripted file, and recorded as calls in a traced one: both check every input that they get.
"""

import warnings
from functools import cache
from typing import Any, Callable, List, Tuple

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise ImportError(
        "This part of audacitorch needs PyTorch, which is not installed. `pip install torch==1.9.0 'numpy<2'` under "
        "Python 3.9 installs the version inside Audacity; with backport=True a newer one can export, too."
    ) from error


def check_input(x: Tensor) -> Tensor:
    """The waveform that a model is given, unchanged: ``(channels, samples)``.

    Raises:
        ValueError: the tensor has another shape.
    """
    if x.dim() != 2 or x.numel() == 0:
        raise ValueError(
            f"expected a waveform of shape (channels, samples), both at least 1, got shape {list(x.shape)}"
        )
    return x


def check_waveform(x: Tensor) -> Tensor:
    """The waveform that an effect returns, unchanged: ``(output channels, samples)``.

    Raises:
        ValueError: the tensor has another shape.
    """
    if x.dim() != 2:
        raise ValueError(
            f"do_forward_pass returned shape {list(x.shape)}, expected a waveform of shape (channels, samples)"
        )
    return x


def check_labels(labels: Tensor, timestamps: Tensor) -> Tuple[Tensor, Tensor]:
    """What a labeler returns, unchanged: ``(steps, classes)`` or ``(steps,)``, and ``(steps, 2)``.

    Raises:
        ValueError: one of the two has another shape, or their steps differ.
    """
    if labels.dim() != 1 and labels.dim() != 2:
        raise ValueError(
            f"do_forward_pass returned labels of shape {list(labels.shape)}, expected (steps, classes) or (steps,)"
        )
    if timestamps.dim() != 2 or timestamps.size(1) != 2:
        raise ValueError(f"do_forward_pass returned timestamps of shape {list(timestamps.shape)}, expected (steps, 2)")
    if labels.size(0) != timestamps.size(0):
        raise ValueError(
            f"do_forward_pass returned labels of shape {list(labels.shape)} and timestamps of shape "
            f"{list(timestamps.shape)}, expected the same number of steps"
        )
    return labels, timestamps


def _traceable(check: Callable[..., Any]) -> Callable[..., Any]:
    """The check itself, or its compiled form where a trace is being recorded: that one stays in the trace as a call."""
    tracing = torch._C._get_tracing_state() is not None
    return _compiled(check) if tracing else check


@cache
def _compiled(check: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.jit.script(check)
    return compiled


class AudacityModel(nn.Module):
    """What effects and analyzers have in common: the model that they wrap.

    Args:
        model: the model that ``do_forward_pass`` uses as ``self.model``. It is put in evaluation mode.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model = model
        self.eval()


class WaveformToWaveformBase(AudacityModel):
    """An effect: audio in, audio out. Subclass it and write ``do_forward_pass``."""

    def do_forward_pass(self, x: Tensor) -> Tensor:
        """The model's work, with whatever comes before and after it.

        Args:
            x: waveform ``(channels, samples)``, float32, at the metadata's sample rate; one channel, or two where the
                metadata says ``multichannel`` and the track is stereo. Where it does not, stereo is summed, so samples
                reach from -2 to 2. The last block of a clip has any number of samples from 1 on.

        Returns:
            waveform ``(len(labels), samples)``, float32: a track for each channel, as long as the input.
        """
        raise NotImplementedError("implement do_forward_pass")

    def forward(self, x: Tensor) -> Tensor:
        """One block: ``(channels, samples)`` to ``(output channels, samples)``.

        Raises:
            ValueError: input or output has another shape; in a saved file, torch.jit.Error with the same text.
            TypeError: ``do_forward_pass`` did not return one Tensor.
        """
        if torch.jit.is_scripting():
            return check_waveform(self.do_forward_pass(check_input(x)))
        else:  # noqa: RET505 - a branch that is not compiled
            output = self.do_forward_pass(_traceable(check_input)(x))
            require_tensor(output, "do_forward_pass returned", "one Tensor of shape (channels, samples)")
            waveform: Tensor = _traceable(check_waveform)(output)
            return waveform


class WaveformToLabelsBase(AudacityModel):
    """An analyzer: audio in, labels with start and end out. Subclass it and write ``do_forward_pass``."""

    def do_forward_pass(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """The model's work, with whatever comes before and after it.

        Args:
            x: waveform ``(channels, samples)``, as :class:`WaveformToWaveformBase` describes it.

        Returns:
            labels and timestamps. Labels are class probabilities ``(steps, classes)``, as the specification asks, or
            class indices ``(steps,)``, as the 3.2 alphas want them; both index the metadata's ``labels``. Timestamps
            ``(steps, 2)``, floating point, are start and end in seconds from the start of the block. There may be no
            steps at all, gaps between them, and overlaps of different classes.
        """
        raise NotImplementedError("implement do_forward_pass")

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """One block ``(channels, samples)`` to labels ``(steps, classes)`` or ``(steps,)``, timestamps ``(steps, 2)``.

        Raises:
            ValueError: input or output has another shape; in a saved file, torch.jit.Error with the same text.
            TypeError: ``do_forward_pass`` did not return two Tensors.
        """
        if torch.jit.is_scripting():
            labels, timestamps = self.do_forward_pass(check_input(x))
            return check_labels(labels, timestamps)
        else:  # noqa: RET505 - a branch that is not compiled
            output = self.do_forward_pass(_traceable(check_input)(x))
            require_pair(output, "do_forward_pass returned")
            checked: Tuple[Tensor, Tensor] = _traceable(check_labels)(output[0], output[1])
            return checked


def require_tensor(output: object, subject: str, expected: str) -> None:
    """Raise TypeError unless ``output`` is a Tensor."""
    if not isinstance(output, Tensor):
        raise TypeError(f"{subject} {describe(output)}, expected {expected}")


def require_pair(output: object, subject: str) -> None:
    """Raise TypeError unless ``output`` is a tuple of two Tensors."""
    if not isinstance(output, tuple) or len(output) != 2 or not all(isinstance(part, Tensor) for part in output):
        raise TypeError(f"{subject} {describe(output)}, expected a tuple of two Tensors (labels, timestamps)")


def require_labels(output: Any, subject: str) -> None:
    """Raise TypeError or ValueError unless ``output`` is labels and ordered timestamps ``(steps, 2)``."""
    require_pair(output, subject)
    labels, timestamps = output
    _rephrased(subject, check_labels, labels, timestamps)
    if not timestamps.is_floating_point():
        raise TypeError(f"{subject} timestamps of {timestamps.dtype}, expected a floating-point type")
    if bool((timestamps < 0).any()):
        raise ValueError(f"{subject} a timestamp below 0: times count from the start of the block")
    if bool((timestamps[:, 0] >= timestamps[:, 1]).any()):
        raise ValueError(f"{subject} a label that does not start before it ends")


def require_waveform(output: Any, subject: str, samples: int) -> None:
    """Raise TypeError or ValueError unless ``output`` is a waveform ``(channels, samples)``; warn of a few samples."""
    require_tensor(output, subject, f"one Tensor of shape (channels, {samples})")
    _rephrased(subject, check_waveform, output)
    if output.dtype != torch.float32:
        raise TypeError(f"{subject} {output.dtype}, expected torch.float32")
    if output.shape[0] >= output.shape[1]:
        raise ValueError(f"{subject} shape {list(output.shape)}: more channels than samples, are they swapped?")
    difference = abs(output.shape[1] - samples)
    message = f"{subject} shape {list(output.shape)}, expected (channels, {samples})"
    # As the rule output-length has it: Audacity pastes the block at its start, so what follows is shifted.
    if difference > min(samples // 100, 1024):
        raise ValueError(message)
    if difference:
        warnings.warn(message, stacklevel=3)


def _rephrased(subject: str, check: Any, *tensors: Tensor) -> None:
    """Call one of core's checks; its error says ``subject`` instead of the base class's method."""
    try:
        check(*tensors)
    except ValueError as error:
        raise ValueError(str(error).replace("do_forward_pass returned", subject)) from None


def describe(output: object) -> str:
    """What a model returned, with every shape in it."""
    if isinstance(output, Tensor):
        return f"a Tensor of shape {list(output.shape)}"
    if isinstance(output, (tuple, list)):
        parts: List[str] = [describe(part) for part in output[:4]]
        return f"a {type(output).__name__} of {len(output)}: {', '.join(parts) or 'nothing'}"
    return f"a value of type {type(output).__name__}"
