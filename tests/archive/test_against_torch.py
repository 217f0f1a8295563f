"""What the reader says, beside what Torch 1.9.0 says: on random calls, its own exports, those of a newer Torch."""

from __future__ import annotations

import io
import random
import re
import zipfile
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import pytest

from audacitorch.archive import forbidden, schemas, types
from audacitorch.facts import Argument
from audacitorch.rules import all_rules
from tests.archive.zips import read

pytestmark = pytest.mark.torch

NEWER = sorted((Path(__file__).parent.parent / "data" / "archives").glob("*.pt"))
RULES = (
    "unknown-operator",
    "operator-arguments",
    "custom-operator",
    "unknown-type",
    "unsafe-archive",
    "unusual-code",
)
CODE = """class Model(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  _is_full_backward_hook : Optional[bool]
  def forward(self: {owner},
    {parameters}):
    r = {call}
    return r
"""
OTHERS = [
    "Tensor",
    "int",
    "float",
    "bool",
    "str",
    "complex",
    "number",
    "Device",
    "NoneType",
    "List[int]",
    "List[float]",
    "List[Tensor]",
    "List[str]",
    "Any",
    "Optional[Tensor]",
    "Optional[int]",
    "Tuple[int,int]",
    "Tuple[Tensor,Tensor]",
    "Tuple[int,float]",
    "Dict[str,Tensor]",
    "List[List[int]]",
    "List[Tuple[str,int]]",
    "Optional[List[int]]",
    "Future[Tensor]",
]
NOT_NAMED = ("AnyEnumType", "AnyClassType", "Storage", "Generator", "QScheme", "RRef", "Stream", "__torch__")


def found(data: bytes) -> List[str]:
    archive = read(data)
    return [
        str(problem.details.get("operator", problem.details.get("type", "")))
        for name in RULES
        for problem in all_rules()[name].check(archive)
    ]


def load_error(data: bytes) -> Optional[str]:
    """What Torch 1.9.0 says to the archive without its debug members, which keep it from saying anything."""
    import torch

    copy = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(copy, "w") as stripped:
        for name in archive.namelist():
            if not name.endswith(".debug_pkl"):
                stripped.writestr(name, b"6" if name.endswith("version") else archive.read(name))
    copy.seek(0)
    try:
        torch.jit.load(copy)
    except RuntimeError as error:
        return str(error)
    return None


def compile_call(template: List[Tuple[str, bytes]], code: str) -> Tuple[Optional[str], str]:
    """Torch 1.9.0's error for ``code``, or the type that its ``forward`` returns."""
    import torch

    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        for name, content in template:
            archive.writestr(name, code if name.endswith(".py") else content)
    copy.seek(0)
    try:
        model = torch.jit.load(copy)
    except RuntimeError as error:
        return str(error), ""
    return None, model._c._get_method("forward").schema.returns[0].type.annotation_str


def a_type_like(generator: random.Random, formal: types.Type) -> str:
    if types.is_variable(formal):
        return generator.choice(["int", "Tensor", "str", "List[int]"])
    if formal.name == "Optional" and generator.random() < 0.8:
        return a_type_like(generator, formal.arguments[0])
    if formal.arguments:
        return str(types.Type(formal.name, tuple(types.Type(a_type_like(generator, one)) for one in formal.arguments)))
    return str(formal)


def a_call(generator: random.Random, operator: str) -> Tuple[Argument, ...]:
    """Arguments that mostly fit one of the operator's schemas."""
    arguments: List[Argument] = []
    by_name = False
    for formal in generator.choice(schemas.schemas(operator)).arguments:
        if formal.has_default and generator.random() < 0.5:
            by_name = True
            continue
        kind = a_type_like(generator, formal.type) if generator.random() < 0.85 else generator.choice(OTHERS)
        if formal.broadcast and formal.type.name == "List" and generator.random() < 0.4:
            kind = str(formal.type.arguments[0])
        by_name = by_name or formal.keyword_only or generator.random() < 0.05
        arguments.append(Argument(str(types.parse(kind)), formal.name if by_name else None))
    if generator.random() < 0.06:
        arguments.insert(sum(one.keyword is None for one in arguments), Argument(generator.choice(OTHERS)))
    return tuple(arguments)


@pytest.mark.slow
def test_random_calls_are_judged_as_torch_judges_them() -> None:
    import torch

    class Model(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    saved = io.BytesIO()
    torch.jit.save(torch.jit.script(Model()), saved)
    with zipfile.ZipFile(saved) as archive:
        owner = (
            next(name for name in archive.namelist() if name.endswith(".py")).split("/code/")[1][:-3].replace("/", ".")
        )
        template = [(name, archive.read(name)) for name in archive.namelist() if not name.endswith(".debug_pkl")]
    generator = random.Random(9)
    operators = [name for name in schemas.operators() if name.split("::")[0] in ("aten", "quantized")]
    judged = 0
    for _ in range(2500):
        operator = generator.choice(operators)
        arguments = a_call(generator, operator)
        keywords = [one.keyword for one in arguments if one.keyword]
        unnamed = any(name in one.type for one in arguments for name in NOT_NAMED)
        if unnamed or {"self", "from", "lambda"} & set(keywords) or operator in forbidden.REACHES_OUT:
            continue
        given = ", ".join((f"{one.keyword}=" if one.keyword else "") + f"a{n}" for n, one in enumerate(arguments))
        parameters = ",\n    ".join(f"a{index}: {one.type}" for index, one in enumerate(arguments)) or "x: Tensor"
        code = CODE.format(
            owner=f"{owner}.Model", parameters=parameters, call=f"ops.{operator.replace('::', '.')}({given})"
        )
        error, returned = compile_call(template, code)
        match = schemas.match(schemas.effective(operator, 3), arguments)
        assert (error is None) == (match.verdict == types.YES), (code, error, match)
        if error is None and not types.has_unknown(match.returns):
            assert types.parse(returned) == match.returns, code
        judged += 1
    assert judged > 1500


@pytest.mark.parametrize("path", NEWER, ids=lambda path: path.stem)
def test_exports_of_a_newer_torch_are_refused_where_torch_refuses_them(path: Any) -> None:
    data = path.read_bytes()
    error, names = load_error(data), found(data)
    assert bool(error) == bool(names)
    if error:
        first = re.search(r"\w+::\w+", error)
        assert (first.group(0) if first else "Union") in names


def own_exports() -> Iterator[Any]:
    import torch
    import torchaudio
    import torchaudio.models
    from torch import nn

    quantized = torch.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), {nn.Linear})
    tasnet = torchaudio.models.ConvTasNet(2, 16, 8, 3, 8, 8, 2, 1)
    scripted = {
        "lstm": nn.LSTM(4, 4, 2, bidirectional=True),
        "transformer": nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8), 1),
        "convolutions": nn.Sequential(
            nn.Conv1d(1, 2, 3, padding_mode="reflect", padding=1), nn.BatchNorm1d(2), nn.GELU()
        ),
        "upsampling": nn.Upsample(scale_factor=2.0, mode="linear"),
        "quantized": quantized,
        "tasnet": tasnet,
        "wav2letter": torchaudio.models.Wav2Letter(4, "waveform", 2),
        "mfcc": torchaudio.transforms.MFCC(),
        "griffin-lim": torchaudio.transforms.GriffinLim(),
        "vad": torchaudio.transforms.Vad(16000),
    }
    yield from ((name, torch.jit.script(model)) for name, model in scripted.items())
    yield "traced-tasnet", torch.jit.trace(tasnet, torch.rand(1, 1, 800), check_trace=False)


@pytest.mark.slow
def test_exports_of_1_9_0_itself_have_no_problems() -> None:
    import torch

    for name, model in own_exports():
        saved = io.BytesIO()
        torch.jit.save(model, saved)
        assert (name, found(saved.getvalue())) == (name, [])
