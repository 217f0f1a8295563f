"""The author's lines behind an archive's code: both layouts of debug information, and hostile ones."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any, Dict, Optional

import pytest

from audacitorch.archive import origins, pickles
from audacitorch.archive.origins import Origins, innermost, named_file
from audacitorch.findings import Origin
from tests.archive.zips import packed

DATA = Path(__file__).resolve().parents[1] / "data" / "backport"
REPOS = Path(__file__).resolve().parents[1] / "repos"

CODE = b"def f(x: Tensor) -> Tensor:\n  return torch.neg(torch.abs(x))\n"
TEXT = "def f(x):\n    # naïve\n    y = x.abs()\n    return -y\n"


def of(path: Path, member: str, line: int, operator: str = "") -> Optional[Origin]:
    with path.open("rb") as file:
        return Origins(file, path.stat().st_size).of(member, line, operator)


def pickled(value: Any) -> bytes:
    """``value`` as TorchScript's pickler writes it: protocol 2, a tuple closed by a mark, memos for texts and lists."""
    memo: Dict[int, int] = {}

    def kept(one: Any, data: bytes) -> bytes:
        memo[id(one)] = len(memo)
        return data + b"r" + struct.pack("<I", memo[id(one)])

    def write(one: Any) -> bytes:
        if id(one) in memo and not isinstance(one, int):
            return b"j" + struct.pack("<I", memo[id(one)])
        if isinstance(one, int):
            return b"\x8a\x08" + struct.pack("<q", one)
        if isinstance(one, str):
            data = one.encode()
            return kept(one, b"X" + struct.pack("<I", len(data)) + data)
        if isinstance(one, list):
            return kept(one, b"](" + b"".join(map(write, one)) + b"e")
        return b"(" + b"".join(map(write, one)) + b"t"

    return b"\x80\x02" + write(value) + b"."


def archive(debug: bytes, code: bytes = CODE) -> Origins:
    data = packed({"code/__torch__/net.py": code, "code/__torch__/net.py.debug_pkl": debug})
    return Origins(io.BytesIO(data), len(data))


@pytest.mark.parametrize("newer", [False, True])
def test_a_line_is_found_in_both_layouts(newer: bool) -> None:
    """Bytes count, not characters, and the call's own range is found before that of the whole line."""
    first, second = CODE.index(b"torch.neg"), CODE.index(b"torch.abs")
    neg, absolute = (len(TEXT[: TEXT.index(part)].encode()) for part in ("return", "y = x"))
    texts = ("", *(line + "\n" for line in TEXT.split("\n")), "/home/ann/net.py")
    source: Any = ([1, 2, 3, 4], 6, 10) if newer else (TEXT, "/home/ann/net.py", 10)
    nothing: Any = ([], 0, 0) if newer else ("", "", 0)
    records = ((0, (nothing, 0, 0), 0), (first, (source, neg, neg + 1), 1), (second, (source, absolute, absolute), 2))
    found = archive(pickled(("FORMAT_WITH_STRING_TABLE", texts, records) if newer else records))
    assert found.of("code/__torch__/net.py", 2, "aten::abs") == Origin("net.py", 12, "y = x.abs()")
    assert found.of("code/__torch__/net.py", 2, "aten::neg") == Origin("net.py", 13, "return -y")
    assert found.of("code/__torch__/net.py", 2) == Origin("net.py", 13, "return -y")
    for member, line in (("code/__torch__/net.py", 3), ("code/__torch__/net.py", 0), ("code/__torch__/other.py", 1)):
        assert found.of(member, line) is None


def test_a_call_in_pytorchs_own_layer_is_the_authors_who_calls_it() -> None:
    scripted, traced = DATA / "unbatched-1.10-scripted.pt", DATA / "unbatched-1.10-traced.pt"
    layer = "code/__torch__/torch/nn/modules/conv"
    assert str(of(scripted, f"{layer}.py", 29)) == "export.py:6: `def forward(self,x): return self.layer(x)`"
    assert str(of(traced, f"{layer}/___torch_mangle_0.py", 12)) == "export.py:6"


def test_a_newer_export_knows_its_lines() -> None:
    found = of(REPOS / "newer-export-aborts-at-pad" / "model.pt", "code/__torch__.py", 8, "aten::pad")
    assert found is not None
    assert (found.file, found.line) == ("modules.py", 7)
    assert "torch._C._nn.pad(x * 0.5" in found.code


def test_an_archive_without_debug_information_knows_none() -> None:
    assert of(REPOS / "moves-to-cuda" / "model.pt", "code/__torch__.py", 8) is None


@pytest.mark.torch
@pytest.mark.parametrize("traced", [False, True])
def test_what_torch_1_9_0_writes_is_read(tmp_path: Path, traced: bool) -> None:
    import torch

    from tests.repos_make import modules

    module = modules.Halves()
    path = tmp_path / "model.pt"
    made = torch.jit.trace(module, torch.zeros(1, 8)) if traced else torch.jit.script(module)
    torch.jit.save(made, str(path))
    with zipfile.ZipFile(path) as names:
        member = next(name for name in names.namelist() if "modules" in name and name.endswith(".py")).partition("/")[2]
        code = names.read(f"model/{member}").decode().split("\n")
    number = next(index for index, line in enumerate(code, 1) if "torch.mul(" in line)
    found = of(path, member, number, "aten::mul")
    assert found is not None
    lines = Path(modules.__file__).read_text("utf-8").split("\n")
    assert "0.5" in lines[found.line - 1]
    assert found.file == "modules.py"
    assert found.code == ("" if traced else lines[found.line - 1].strip())


def test_a_traces_stack_names_the_innermost_line_that_is_the_authors() -> None:
    stack = [
        "/usr/lib/python3/site-packages/torch/nn/functional.py(12): pad",
        "/usr/lib/python3/site-packages/demucs/spec.py(30): spectro",
        "/home/ann/export.py(3): <module>",
    ]
    assert innermost(stack) == Origin("demucs/spec.py", 30)
    assert innermost(stack[:1]) is None
    assert named_file("C:\\Users\\ann\\net.py") == "net.py"


HOSTILE = {
    "no pickle": b"\x80\x02cposix\nsystem\n(S'id'\ntR.",
    "cut off": pickled(((0, (("x", "y", 1), 0, 0), 0),))[:-9],
    "no tuple": pickled([1, 2]),
    "odd records": pickled(((0,), (1, 2, 3), (0, ((1, 2, 3), 0), 0), (0, (("x", "y", "z"), 0), 0), ("a", ("b",)))),
    "odd table": pickled(("FORMAT_WITH_STRING_TABLE", 7, ((0, (([99, -1], 5, 1), 0, 0), 0),))),
    "behind the text": pickled(((0, (("x", "y", 1), 1 << 60, 0), 0),)),
    "before the text": pickled(((0, (("", "", 1), -5, 0), 0),)),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_is_no_debug_information_is_passed_over(name: str) -> None:
    assert archive(HOSTILE[name]).of("code/__torch__/net.py", 2, "aten::abs") is None


def test_a_text_that_comes_a_million_times_takes_no_million_times_its_room() -> None:
    """The sizes of lines are counted once each; a stack is read for so many lines."""
    import tracemalloc

    line = "ä" * 200_000 + "\n"
    source = ([1] * 200_000, 2, 1)
    debug = pickled(("FORMAT_WITH_STRING_TABLE", ("", line, "net.py"), ((0, (source, 1 << 40, 0), 0),)))
    tracemalloc.start()
    assert archive(debug).of("code/__torch__/net.py", 2) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 << 20


def test_more_debug_information_than_is_read_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(pickles, "describe", lambda data: read.append(len(data)) or pickles.Pickled((), frozenset()))
    monkeypatch.setattr(origins, "MAX_DEBUG", 100)
    archive(b"x" * 101).of("code/__torch__/net.py", 2)
    assert read == [0]


def test_what_was_loaded_and_saved_again_has_no_line_of_the_authors() -> None:
    """Its source is the archive's own text, which a name such as `___torch_mangle_1.py` would pass off as a file."""
    source = (TEXT, "code/__torch__/net/___torch_mangle_1.py", 1)
    assert archive(pickled(((0, (source, 0, 5), 0),))).of("code/__torch__/net.py", 2) is None
