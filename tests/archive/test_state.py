"""Values in data.pkl that Torch 1.9.0 takes as they are, and whose memory code of another type then reads.

Each of the refused ones was tried on bare Torch: it gave memory of the process as sound, or ended the process.
"""

from __future__ import annotations

import struct
from typing import Dict, List, Tuple, Union

import pytest

from audacitorch.archive.pickles import Unreadable, describe
from tests.archive.zips import packed, read

CODE = """class Model(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  value : {kind}
  def forward(self: __torch__.Model,
    x: Tensor) -> Tensor:
    return x
class A:
  a : int
  b : List[__torch__.A]
class B:
  a : int
class N(NamedTuple):
  a : int
  b : Tensor
class E(Enum):
  A = 1
  B = 2
class I(Interface):
  def f(self, x: Tensor) -> Tensor:
    pass
class F:
  a : int
  def f(self: __torch__.F,
    x: Tensor) -> Tensor:
    return x
class S:
  a : int
  def __getstate__(self: __torch__.S) -> Tuple[int, str]:
    return (1, "a")
  def __setstate__(self: __torch__.S,
    state: Tuple[int, str]) -> NoneType:
    self.a = (state)[0]
    return None
"""


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def made(name: str, **state: bytes) -> bytes:
    return b"c__torch__\n" + name.encode() + b"\n)\x81}(" + b"".join(text(k) + v for k, v in state.items()) + b"ub"


def called(name: str, *arguments: bytes) -> bytes:
    module, _, last = name.rpartition(".")
    return f"c{module}\n{last}\n(".encode() + b"".join(arguments) + b"tR"


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def storage(elements: int) -> bytes:
    return b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(elements) + b"tQ"


def tensor(elements: int = 4, of: bytes = b"") -> bytes:
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    shape = (b"(" + number(elements) + b"t", b"(" + number(1) + b"t")
    return called("torch._utils._rebuild_tensor_v2", of or storage(elements), number(0), *shape, hooks)


def problems(kind: str, value: bytes, before: bytes = b"") -> List[str]:
    data = b"\x80\x02" + made("Model", training=b"\x88", value=value)[: -1 if before else None]
    members: Dict[str, Union[str, bytes]] = {"code/__torch__.py": CODE.format(kind=kind), "data/0": bytes(16)}
    archive = read(packed({**members, "data.pkl": data + before + b"."}))
    return [*archive.unsafe, *(problem.message for problem in archive.code_problems)]


ONE, TAG = b"K\1", "torch.jit._pickle.restore_type_tag"
LIST_OF_A = b"](" + made("A", a=ONE, b=b"]") + b"e"

GOOD: List[Tuple[str, bytes]] = [
    ("int", ONE),
    ("float", b"G" + bytes(8)),
    ("bool", b"\x88"),
    ("str", text("a")),
    ("NoneType", b"N"),
    ("Tensor", tensor()),
    ("Optional[Tensor]", b"N"),
    ("Optional[Tensor]", tensor()),
    ("List[int]", called("torch.jit._pickle.build_intlist", b"](" + ONE + ONE + b"e")),
    ("List[Tensor]", b"](" + tensor() + b"e"),
    ("Dict[str, int]", called(TAG, b"}(" + text("a") + ONE + b"u", text("Dict[str, int]"))),
    ("Dict[Tensor, int]", b"}(" + tensor() + ONE + b"u"),
    ("Tuple[int, Tensor]", ONE + tensor() + b"\x86"),
    ("Tuple[int, Optional[str]]", ONE + b"N\x86"),
    ("Device", called("torch.device", text("cpu"))),
    ("__torch__.A", made("A", a=ONE, b=LIST_OF_A)),
    ("__torch__.N", called("__torch__.N", ONE, tensor())),
    ("__torch__.E", called("__torch__.E", ONE)),
    ("__torch__.I", made("F", a=ONE)),
    ("__torch__.S", b"c__torch__\nS\n)\x81" + ONE + text("a") + b"\x86b"),
    ("Any", made("B", a=ONE)),
    ("number", ONE),
]  # fmt: skip
BAD: List[Tuple[str, bytes]] = [
    ("Tensor", ONE),
    ("int", tensor()),
    ("int", b"\x88"),
    ("float", ONE),
    ("Tensor", b"N"),
    ("List[int]", text("hello")),
    ("List[int]", b"](" + ONE + text("a") + b"e"),
    ("List[Tensor]", b"](" + ONE + b"e"),
    ("Dict[str, int]", b"}(" + ONE + ONE + b"u"),
    ("Dict[str, int]", b"]"),
    ("Tuple[int, int, Tensor]", ONE + b"\x85"),
    ("Tuple[int, int]", ONE * 3 + b"\x87"),
    ("Tuple[int, Tensor]", ONE + ONE + b"\x86"),
    ("Optional[Tuple[int, int]]", ONE + b"\x85"),
    ("__torch__.A", made("B", a=ONE)),
    ("__torch__.A", ONE),
    ("__torch__.A", b"N"),
    ("__torch__.A", made("A", a=ONE, b=b"](" + made("B", a=ONE) + b"e")),
    ("__torch__.A", b"c__torch__\nA\n)\x81" + ONE + b"\x85b"),
    ("__torch__.N", called("__torch__.N", ONE)),
    ("__torch__.N", called("__torch__.N", ONE, ONE)),
    ("__torch__.E", called("__torch__.E")),
    ("__torch__.I", made("B", a=ONE)),
    ("__torch__.S", b"c__torch__\nS\n)\x81" + ONE + b"\x85b"),
    ("Tensor", storage(4)),
    ("Any", storage(4)),
    ("Dict[Tensor, int]", b"}(" + tensor(1 << 20) + ONE + b"u"),
    ("Tensor", tensor(of=b"N")),
    ("int", ONE + b"a"),
    ("Dict[str, int]", b"}" + text("a") + ONE + b"s"),
    ("Any", called(TAG, b"](" + ONE + b"e", text("List[Tensor]"))),
    ("Any", called(TAG, b"](" + ONE + b"\x85e", text("List[Tuple[int, int]]"))),
    ("Any", called(TAG, b"]", text("List[" * 5000 + "int" + "]" * 5000))),
    ("Any", called("torch.jit._pickle.build_intlist", b"](" + text("a") + b"e")),
    ("Any", ONE + b"\x85" * 1000),
    ("Any", b"](" * 1000 + ONE + b"e" * 1000),
    ("int", ONE + b"0" + ONE),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_values_are_of_the_types_that_the_code_says(kind: str, value: bytes) -> None:
    assert problems(kind, value) == []


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_values_of_other_types_are_refused(kind: str, value: bytes) -> None:
    assert problems(kind, value) != []


def test_a_storage_that_two_tensors_share_is_one() -> None:
    pair = b"](" + tensor(of=storage(4) + b"q\0") + tensor(of=b"h\0") + b"e"
    assert problems("List[Tensor]", pair) == []


def test_an_object_is_filled_once() -> None:
    """Torch runs ``__setstate__`` each time; a reader that keeps the last state would not see the first."""
    again = b"b}(" + text("training") + b"\x88" + text("value") + ONE + b"ub"
    assert problems("int", ONE, again) != []


@pytest.mark.parametrize(
    "end", [b"r\xff\xff\xff\x0f.", b"q\1.", b"q\0q\0.", b"q\0K\1.", b".K\1.", b"(.", b"\x85\x85(\x86."]
)
def test_what_pytorchs_pickler_does_not_write_is_refused(end: bytes) -> None:
    """A memo's number is the length of an allocation in Torch: 20 bytes ask for 64 GB."""
    with pytest.raises(Unreadable):
        describe(b"\x80\x02K\1" + end)


@pytest.mark.parametrize("hooks", ["__forward_hooks__", "__forward_pre_hooks__"])
def test_hooks_are_methods_of_their_class(hooks: str) -> None:
    """Torch 1.9.0 ends by a segmentation fault where there is no such method."""
    code = CODE.format(kind="int").replace("  training", f'  {hooks} = ["nope", ]\n  training', 1)
    data = b"\x80\x02" + made("Model", training=b"\x88", value=ONE) + b"."
    archive = read(packed({"code/__torch__.py": code, "data.pkl": data}))
    assert any("hooks" in problem.message for problem in archive.code_problems)


def test_a_pickle_that_is_too_large_to_be_read_is_told() -> None:
    data = b"\x80\x02" + text("a" * (17 << 20)) + b"."
    archive = read(packed({"code/__torch__.py": CODE.format(kind="int"), "data.pkl": data}))
    assert [problem.kind for problem in archive.code_problems] == ["too-large"]
