"""Fixtures whose defect lies in what the model's code calls.

Torch 1.9.0 can't script a call that it does not know, so code is edited in the archive. Where it loads the edited
archive without debug members, it raises; the models of a newer PyTorch, which end it, are from
:mod:`tests.repos_make.newer`.
"""

from __future__ import annotations

from typing import List

from tests.repos_make import archives
from tests.repos_make.parts import Expected, Fixture, Model, card, error, warning

#: The one line of the good effect that its calls are in.
_LINE = "return torch.mul(x, 0.5)"
KEPT = "kept"


def _calls(name: str, code: str, *expected: Expected, runs: bool = False) -> Fixture:
    return Fixture(name, expected, card(), lambda: archives.with_code(_LINE, code), runs=runs)


def _from_newer(name: str, *expected: Expected) -> Fixture:
    ended = error("aborts-host", message="Loading the model crashed the process with SIGABRT")
    newer = error("newer-export", message="exported by PyTorch 2.1 or newer")
    return Fixture(name, (newer, *expected, ended), card(), KEPT, runs=True)


def fixtures() -> List[Fixture]:
    """All of them. Those that a newer PyTorch wrote are run, to see that they end the process."""
    unknown, arguments, custom = "unknown-operator", "operator-arguments", "custom-operator"
    return [
        _calls("newer-operator", "return torch.pad(x, [0, 0])",
               error(unknown, message="aten::pad; the nearest"), runs=True),
        _calls("newer-operator-called-twice", "return torch.mT(torch.mT(x))",
               error(unknown, message="aten::mT"), error(unknown, message="aten::mT")),
        _calls("newer-operator-and-newer-arguments", "return torch.mish2(torch.mul(x, 0.5, 2))",
               error(unknown, message="aten::mish2"), error(arguments, message="aten::mul(Tensor, float, int)")),
        _calls("operator-with-one-argument-too-many", "return torch.mul(x, 0.5, 2)",
               error(arguments, message="aten::mul(Tensor, float, int)"), runs=True),
        _calls("operator-of-torchaudio", "return ops.torchaudio._lfilter(x, x, x)",
               error(custom, message="torchaudio::_lfilter"), runs=True),
        _calls("operator-of-torchvision", "return ops.torchvision.nms(x, x, 0.5)",
               error(custom, message="torchvision::nms")),
        _calls("type-that-came-later", "y : SymInt = 1\n    return torch.mul(x, y)",
               error("unknown-type", message="SymInt")),
        Fixture("code-that-can-not-be-parsed", (error("unusual-code", message="invalid syntax (line 8)"),), card(),
                lambda: archives.with_code(_LINE, "return x mul 0.5")),
        *_file_access(),
        *_static(),
        _from_newer("newer-export-aborts-at-pad", error(unknown, message="aten::pad")),
        _from_newer("newer-export-aborts-at-raise", error(arguments, message="prim::RaiseException(str, str)")),
        Fixture("newer-export-that-works", (), card(), KEPT, runs=True),
        Fixture("archive-format-10", (error("file-format-too-new", message="format 10"),), card(),
                lambda: archives.with_member("version", b"10\n"), runs=True),
    ]  # fmt: skip


def _static() -> List[Fixture]:
    """What the archive shows without being run."""
    from torch import float16, float64

    from tests.repos_make import modules

    def of(name: str, module: object, *expected: Expected) -> Fixture:
        return Fixture(name, expected, card(), lambda: archives.scripted(module))

    return [
        of("no-forward", modules.HasNoForward(), error("forward-signature", message="its methods are: encode")),
        of("forward-of-two-tensors", modules.WantsTwoTensors(),
           error("forward-signature", message="has 2 required arguments, expected one tensor: forward(x: Tensor")),
        of("moves-to-cuda", modules.MovesToCuda(), error("device-in-code", message="the device 'cuda:0'")),
        of("drops-in-use", modules.DropsAlways(), warning("training-mode", message="calls dropout in training")),
        of("half-weights", modules.Scales(float16), error("weights-dtype", message="parameters are half (float16)")),
        of("double-weights", modules.Scales(float64), error("weights-dtype", message="are double (float64)")),
        of("quantized", modules.Quantizes(), warning("quantized", message="it calls quantized::add")),
    ]  # fmt: skip


def _file_access() -> List[Fixture]:
    from tests.repos_make import modules

    def of(module: object) -> Model:
        return lambda: archives.scripted(module)

    return [
        Fixture("reads-a-file", (error("file-access", message="calls aten::from_file"),), card(),
                of(modules.ReadsPasswords()), runs=True),
        Fixture("writes-in-forward", (error("file-access", message="calls aten::save"),), card(),
                of(modules.WritesInForward()), runs=True),
        Fixture("writes-in-setstate", (error("file-access", message="calls aten::save"),), card(),
                of(modules.WritesInSetstate()), runs=True),
    ]  # fmt: skip
