"""Ways to hide code that were found by attacking the reader, each with what Torch 1.9.0 does with it."""

from __future__ import annotations

from typing import Dict, Iterator, Union

import pytest

from audacitorch.facts import Archive, Facts, Repo, Unavailable
from audacitorch.rules import all_rules
from audacitorch.rules.runner import Outcome, run_rules
from tests.archive.zips import MODULE, packed, read, with_body, with_code

SAVE = 'torch.save([1], "out.bin")'
CONSTANT = MODULE.replace("  training : bool\n", "  training : bool\n  a : Final[int] = {value}\n").replace(
    "{body}", "pass"
)
OBJECT = (
    b"\x80\x02c__torch__\nModel\n)\x81}(X\x08\0\0\0training\x88X\x06\0\0\0weightctorch._utils\n_rebuild_tensor_v2\n"
)


def _problems(archive: Archive) -> Iterator[str]:
    yield from archive.unsafe
    yield from (problem.message for problem in archive.code_problems)


@pytest.mark.parametrize(
    "value",
    [
        f"torch.len([{SAVE}])",
        f"[1, 2][torch.len([{SAVE}])]",
        f"annotate(int, torch.len([{SAVE}]))",
        'int(torch.sum(torch.from_file("out.bin", True, 16)))',
        f"(1, torch.len([{SAVE}]))",
        "__torch__.f()",
        f"-torch.len([{SAVE}])",
    ],
)
def test_a_classs_constant_is_not_computed(value: str) -> None:
    """Torch computes it while it loads, in a compilation unit of its own that nobody can look into afterwards."""
    code = CONSTANT.format(value=value) + "def f() -> int:\n  return 1\n"
    assert list(_problems(with_code(code))) != []


@pytest.mark.parametrize("value", ["3", "-3", "-inf", '"a"', "(1, 2.5)", "[1, 2]", 'torch.device("cpu")', "None"])
def test_a_classs_constant_is_a_value(value: str) -> None:
    assert list(_problems(with_code(CONSTANT.format(value=value)))) == []


@pytest.mark.parametrize("value", [f"-torch.len([{SAVE}])", f"-({SAVE})", "-inf"])
def test_members_of_an_enumeration_are_literals(value: str) -> None:
    code = MODULE.format(body="pass") + f"class E(Enum):\n  A = {value}\n"
    assert any("holds what PyTorch does not print" in problem for problem in _problems(with_code(code)))


def test_self_is_of_the_methods_own_class() -> None:
    """Torch does not look at the annotation: another class's attributes would be taken for this one's."""
    code = MODULE.format(body="pass").replace("self: __torch__.Model", "self: __torch__.Other")
    code += "class Other:\n  weight : int\n"
    assert any("first parameter is of another" in problem for problem in _problems(with_code(code)))


def test_the_version_line_ends_behind_the_number() -> None:
    code = f"op_version_set = 1, {SAVE}\n" + MODULE.format(body="pass")
    assert any("a statement outside of functions" in problem for problem in _problems(with_code(code)))
    assert list(_problems(with_code("op_version_set = 1\n" + MODULE.format(body="pass")))) == []


@pytest.mark.parametrize("name", ["PythonOp", "IgnoredPythonOp", "TensorExprGroup", "profile"])
def test_operators_of_the_compiler_are_not_called(name: str) -> None:
    """Torch 1.9.0 ends by a segmentation fault on ``ops.prim.PythonOp(x)``."""
    assert any("only Torch's compiler makes" in problem for problem in _problems(with_body(f"y = ops.prim.{name}(x)")))


def test_an_operator_that_is_called_like_a_method_is_no_method() -> None:
    """Of a value whose type is unknown, only names count that some class of the archive has."""
    assert any("the method 'relu'" in problem for problem in _problems(with_body("y = (torch.nope(x)).relu()")))
    assert any("the attribute 'T'" in problem for problem in _problems(with_body("y = (torch.nope(x)).T")))
    assert list(_problems(with_body("y = (torch.nope(x)).weight"))) == []


def test_what_stands_in_a_form_that_is_unknown_is_read() -> None:
    archive = with_body(f"y = awaitable({SAVE})")
    assert "aten::save" in {call.operator for call in archive.calls}


def test_a_slice_without_a_step_is_refused() -> None:
    """It raised a ValueError of the reader's own."""
    assert any("a slice" in problem for problem in _problems(with_body("y = (x, x)[::0]")))


def test_classes_of_cpp_have_no_code() -> None:
    methods = "class A:\n  def f(self) -> int:\n    return 1\n"
    for code, problems in ((methods, True), ("class A:\n  capsule : Capsule\n", False), ("", False)):
        archive = read(
            packed({"code/__torch__.py": MODULE.format(body="pass"), "code/__torch__/torch/classes/a.py": code})
        )
        assert bool(list(_problems(archive))) == problems


@pytest.mark.parametrize("name", ["dist_c10d.FileStore", "dist_c10d.TCPStore", "dist_rpc.WorkerInfo"])
def test_classes_that_open_files_or_connections_are_file_access(name: str) -> None:
    archive = with_body(f"y = __torch__.torch.classes.{name}.__new__(__torch__.torch.classes.{name})")
    outcome, none = Outcome(), Unavailable("not needed")
    run_rules([all_rules()["file-access"]], Facts(Repo(source="folder"), none, none, archive, none), outcome)
    assert [name in found.message for found in outcome.findings] == [True]


def _data(offset: bytes, shape: bytes, stride: bytes, elements: bytes) -> Dict[str, bytes]:
    storage = b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu" + elements + b"tQ"
    tensor = storage + offset + shape + b"\x85" + stride + b"\x85\x89ccollections\nOrderedDict\n)RtR"
    return {"data.pkl": OBJECT + tensor + b"ub.", "data/0": bytes(16)}


BIG, NEGATIVE = b"J\0\0\0\x10", b"J\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("offset", "shape", "stride", "elements", "outside"),
    [
        (b"K\0", b"K\4", b"K\1", b"K\4", False),
        (b"K\1", b"K\3", b"K\1", b"K\4", False),
        (b"K\0", b"K\7", b"K\0", b"K\4", False),
        (BIG, b"K\0", b"K\1", b"K\4", False),
        (b"K\1", b"K\4", b"K\1", b"K\4", True),
        (BIG, b"K\1", b"K\1", b"K\4", True),
        (b"K\0", b"K\4", b"K\1", b"K\5", True),
        (b"K\0", BIG, b"K\1", BIG, True),
        (b"K\0", b"K\2", BIG, b"K\4", True),
        (b"K\0", NEGATIVE, b"K\1", b"K\4", True),
        (b"K\3", b"K\2", NEGATIVE, b"K\4", True),
    ],
)
def test_tensors_lie_inside_of_their_data(
    offset: bytes, shape: bytes, stride: bytes, elements: bytes, outside: bool
) -> None:
    """Torch 1.9.0 does not ask: the model would read and write the host's own memory."""
    data: Dict[str, Union[str, bytes]] = dict(_data(offset, shape, stride, elements))
    archive = read(packed({"code/__torch__.py": MODULE.format(body="pass"), **data}))
    assert archive.code_problems == ()
    assert archive.parameters is not None
    assert any("reaches beyond its data" in reason for reason in archive.unsafe) == outside


@pytest.mark.parametrize("name", ["__torch__\nMODEL", "__torch__.a\nModel"])
def test_pickles_name_classes_of_the_archive_only(name: str) -> None:
    """Torch finds ``code/__torch__/A.py`` for ``__torch__.a``, and compiles it under that name."""
    data = b"\x80\x02c" + name.encode() + b"\n)\x81}b."
    members = {"code/__torch__.py": MODULE.format(body="pass"), "code/__torch__/A.py": "class Model:\n  a : int\n"}
    archive = read(packed({**members, "data.pkl": data}))
    assert any("which the archive does not define" in problem for problem in _problems(archive))
