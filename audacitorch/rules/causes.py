"""Why forward raises: one table from what PyTorch says to what its author can do.

An error's text is a stranger's and may be long: it is read line by line, and what it holds of tensors is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

from audacitorch.archive.origins import IN_ARCHIVE, innermost, is_of_torch, named_file
from audacitorch.findings import Origin

_LONGEST_TEXT = 400
#: Of a longer text only the end is read, where PyTorch says what was wrong.
_LONGEST_READ = 20_000
_FRAME = re.compile(r'  File "([^"]{1,400})", line (\d{1,9}), in (\S{1,200})')
_HERE = "<--- HERE"
_RAISED = re.compile(r"\w*(?:Error|Exception): ")
_SHAPE = re.compile(r"shape '\[[\d, -]+\]'")
_TENSOR_END = re.compile(r"\[ ?CPU\w{1,20}Type ?\{[\d,]{0,80}\} ?\]")
_OF_A_TENSOR = frozenset("0123456789.,-+e*() \n\tnaifColumst:")


@dataclass(frozen=True)
class Cause:
    """What a text of PyTorch's means: ``name`` for programs, ``hint`` for the author.

    ``pattern`` is a regular expression, compiled when an error is first looked up: most checks never do.
    """

    name: str
    pattern: str
    hint: str


#: The first that matches counts.
CAUSES: Tuple[Cause, ...] = (
    Cause(
        "no-forward",
        r"no attribute 'forward'|Method 'forward' is not defined",
        "Audacity calls `forward` with one Tensor: add it, or wrap the model in a class of audacitorch.core.",
    ),
    Cause(
        "lazy-buffer",
        r"storage that is not resizable",
        "A buffer is made at the first call, but saved tensors can't be resized: make it in __init__ with its final "
        "size (register_buffer), or assign a new tensor instead of resize_, and export again.",
    ),
    Cause(
        "device",
        r"NVIDIA driver|CUDA|cuda|same device|HIP|'MPS'|Vulkan",
        "Audacity runs on the CPU: move the model there (model.cpu()), replace devices that are written into the "
        "code by x.device, and export again.",
    ),
    Cause(
        "window-dtype",
        r"result type Float can't be cast to the desired output type Long",
        "Scripted code must give windows a dtype under Torch 1.9.0: torch.hann_window(n, dtype=torch.float32), or a "
        "window that is made in __init__ and registered as a buffer.",
    ),
    Cause(
        "integers",
        r"but found (?:Char|Byte|Short|Int|Long|Bool)\b|weight type \(torch\.(?:Char|Byte|Short|Int|Long)Tensor\)|"
        r"one of the following scalar types|used as indices must be",
        "Integers and floating point are mixed here, which model.float() does not change: convert the tensor inside "
        "forward, with .float() for values and .long() for indices.",
    ),
    Cause(
        "dtype",
        r"not implemented for '(?:Half|BFloat16)'|expected (?:scalar type|m1 and m2|object of scalar)|"
        r"Input type \(|expected dtype|but found (?:Half|Double|BFloat16)|have the same dtype|Unsupported dtype",
        "Audacity gives float32, and the model computes in another type: call model.float() before the export, and "
        "take casts such as .half() and .double() out of forward.",
    ),
    Cause(
        "quantized-engine",
        r"[Dd]idn't find engine|quantized engine|NoQEngine",
        "Quantized operators need an engine that not every machine has: export the model without quantization.",
    ),
    Cause(
        "missing-argument",
        r"missing value for argument",
        "Audacity calls forward with the waveform alone: give every other argument a default value, or wrap the model "
        "in a forward(self, x) that fills them in.",
    ),
    Cause(
        "extra-argument",
        r"forward\(\) expected at most|takes \d+ positional argument",
        "Audacity calls forward with one Tensor of shape (channels, samples): let forward take `self` and one Tensor.",
    ),
    Cause(
        "list-input",
        r"Expected a value of type '(?:List|Dict|Tuple|Optional\[List)",
        "Audacity gives one Tensor, and the model expects a list of them: call it with [x], and take the first result.",
    ),
    Cause(
        "stereo-only",
        r"expected input\[[\d, ]+\] to have 2 channels, but got 1 channels|"
        r"index 1 out of range for tensor of size \[1,|index 1 is out of bounds for dimension 0 with size 1",
        'The model takes two channels. Set "multichannel": true to get those of stereo tracks, and repeat a mono one '
        "at the start of forward: `if x.shape[0] == 1: x = x.repeat(2, 1)`.",
    ),
    Cause(
        "mono-only",
        r"expected input\[[\d, ]+\] to have 1 channels?, but got 2 channels",
        'The first layer takes one channel: run it on each (x.unsqueeze(1)), or set "multichannel": false.',
    ),
    Cause(
        "channels",
        r"to have \d+ channels?, but got \d+ channel",
        "Audacity gives one channel, or the track's with multichannel: compute the features that this layer expects "
        "inside forward, or repeat the channel as often as it wants.",
    ),
    Cause(
        "extra-dimension",
        r"expected a 1D or 2D tensor",
        "The waveform has a dimension too many here: call this with (channels, samples), before x.unsqueeze(0).",
    ),
    Cause(
        "one-value",
        r"more than 1 (?:value|spatial element)",
        "A statistic over one value is not a number, and a normalization layer refuses it: pad the block to a few "
        "frames at the start of forward, and cut the output back to x.shape[1] samples.",
    ),
    Cause(
        "frames-too-few",
        r"[Kk]ernel size can't be greater|Padding size should be less|padding size .{0,80}less than|"
        r"padded input size|[Oo]utput size is too small|maximum size for tensor at dimension|"
        r"expected a (?:1D|2D|\d).{0,60}got|n_fft|too small",
        "The block is shorter than one frame or kernel: pad it to that length at the start of forward, and cut the "
        "output back to x.shape[1] samples.",
    ),
    Cause(
        "no-batch",
        r"[Ee]xpected (?:\d-dimensional|[23]D|3D or 4D|4D input|input to be [34]D|stride|2D or 3D)|"
        r"must be 3-dimensional|Only [34]D|3D tensors expect|Dimension out of range|input must have 3 dimensions|"
        r"at least 3 dimensions|not enough values to unpack|Expected \d (?:to unpack|elements in a list)|"
        r"number of dims don't match|running_mean should contain|vector of size equal to the number of channels|"
        r"returns 0-filled tensor to 2D|number of subscripts in the equation|"
        r"too many indices for tensor of dimension 2|Found parameter numbers|same number of dimensions: got 3 and 2",
        "There is no batch dimension in Audacity, the input is (channels, samples): x.unsqueeze(0) before the model "
        "and .squeeze(0) on its output.",
    ),
    Cause(
        "frames",
        r"shape '\[[^\]]{0,80}-1[^\]]{0,80}\]' is invalid for input of size",
        "The length must be a multiple of the frame here: pad the block up to the next multiple "
        "(torch.nn.functional.pad), and cut the output back to x.shape[1] samples.",
    ),
    Cause(
        "layer-size",
        r"mat1 and mat2 shapes|size mismatch, m1|Given normalized_shape",
        "A layer expects a fixed number of values in the last dimension, and the block has another. Cut the block into "
        "frames of that size, or add a dimension for the features, x.unsqueeze(-1). Where that number is the length of "
        "the example of a trace, use torch.jit.script.",
    ),
    Cause(
        "traced-length",
        r"shape '\[[\d, ]+\]' is invalid for input of size|must match the size of tensor|Sizes of tensors must match|"
        r"The expanded size of the tensor|size mismatch|batch1 dim",
        "A length is fixed in the code, as a trace does with its example's: use torch.jit.script, or take "
        "lengths from x.shape, and try a few lengths before the export.",
    ),
    Cause(
        "newer-operator",
        r"Unknown builtin op|Arguments for call are not valid|return_complex|complex-valued input",
        "The operator differs in Torch 1.9.0: try `audacitorch backport`, or export under Torch 1.9.0.",
    ),
    Cause(
        "shared-object",
        r"undefined symbol|cannot open shared object|Unknown custom class|torch\.classes",
        "Audacity has libtorch 1.9.0 and no other library: replace what comes from an extension by operators of Torch.",
    ),
    Cause(
        "file",
        r"unable to open file|No such file or directory|Operation not permitted|Permission denied",
        "The model reads a file when it runs, which its users do not have: save what it needs as a buffer.",
    ),
)


def cause_of(message: str) -> Optional[Cause]:
    """The cause that an error's text names, or None."""
    text = told(message)
    return next((cause for cause in CAUSES if re.search(cause.pattern, text)), None)


def common_cause(messages: Sequence[str]) -> Optional[Cause]:
    """The cause of several errors of one kind, from blocks of different lengths.

    A shape that does not fit was written into the code where it is always the same; where it follows the input, the
    block is divided into frames that it does not fill.
    """
    cause = cause_of(messages[0])
    if cause is not None and cause.name == "traced-length":
        shapes = {found[0] for message in messages for found in [_SHAPE.search(told(message))] if found}
        if len(shapes) > 1:
            return next(one for one in CAUSES if one.name == "frames")
    return cause


def raised(kind: str, message: str) -> Tuple[str, str]:
    """The type of an exception, and what it said as a sentence without its type."""
    text = told(message)
    named = _RAISED.match(text)
    if named is not None:
        kind, text = named[0][:-2], text[named.end() :] or text
    return kind, text if text[-1] in ".!?…" else f"{text}."


def told(message: str) -> str:
    """What a TorchScript error says was wrong: its last line that names an error, without dumps of tensors."""
    lines = message[-_LONGEST_READ:].splitlines()
    telling = [index for index, line in enumerate(lines) if _RAISED.match(line)]
    said = without_tensors("\n".join(lines[telling[-1] :] if telling else lines)).splitlines()
    said = said if telling else [line for line in said if line.strip()][:1]
    text = " ".join(line.strip() for line in said if line.strip()) or "no message"
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def without_tensors(text: str) -> str:
    """``text`` with each dump of a tensor replaced by "(a tensor)", in time that grows with its length alone."""
    kept, position = [], 0
    for end in _TENSOR_END.finditer(text):
        start = end.start()
        while start > position and text[start - 1] in _OF_A_TENSOR:
            start -= 1
        kept.append(text[position:start] + " (a tensor)")
        position = end.end()
    text = "".join(kept) + text[position:]
    head, found, _ = text.partition("tensor([")
    return head + "(a tensor)" if found else text


class Blame(NamedTuple):
    """Where an error was raised: the author's line, or the line of the archive's code where no other is known."""

    origin: Optional[Origin] = None
    member: str = ""
    line: int = 0
    code: str = ""

    @property
    def details(self) -> Dict[str, object]:
        """The archive's line as findings keep it, for whoever knows the author's."""
        return {"member": self.member, "member_line": self.line, "source": self.code} if self.member else {}


def blame(message: str) -> Blame:
    """Who raised an error, by TorchScript's stack: the innermost line that is not PyTorch's own.

    The original code where Torch could read it from the archive, which is Python's stack for what was traced.
    """
    best = Blame()
    for part in message[-_LONGEST_READ:].split("Traceback of TorchScript")[1:]:
        lines, place = part.splitlines(), ("", 0)
        found = innermost(lines)
        best = best if found is None else Blame(found)
        for index, line in enumerate(lines):
            frame = _FRAME.match(line)
            if frame is not None:
                place = ("", 0) if is_of_torch(frame[1]) else (frame[1], int(frame[2]))
            elif _HERE in line and place[0] and index:
                code = lines[index - 1].strip()[:200]
                if not place[0].startswith(IN_ARCHIVE):
                    best = Blame(Origin(named_file(place[0]), place[1], code))
                elif best.origin is None:
                    best = Blame(None, *place, code)
    return best
