"""The rules for archives and operators: each fires on its defect and on nothing else."""

from __future__ import annotations

import re
import zipfile
from typing import Any

import pytest

from audacitorch.facts import Archive
from audacitorch.rules import all_rules
from tests.archive.zips import MODULE, packed, read, silero, with_body, with_code

RULES = [
    "not-torchscript", "lfs-pointer", "unsafe-archive", "unusual-code", "model-too-large", "file-format-too-new",
    "unknown-operator", "operator-arguments", "custom-operator", "unknown-type", "file-access",
]  # fmt: skip


def problems(archive: Any) -> Any:
    found = {name: list(all_rules()[name].check(archive)) for name in RULES}
    return {name: listed for name, listed in found.items() if listed}


def test_a_good_archive_has_no_problems() -> None:
    assert problems(with_body("y = torch.add(x, torch.zeros([1, 2]), alpha=1)")) == {}


@pytest.mark.parametrize(
    ("rule", "archive"),
    [
        ("not-torchscript", read(b"")),
        ("not-torchscript", read(b"PK\3\4 cut")),
        ("lfs-pointer", read(b"version https://git-lfs.github.com/spec/v1\n")),
        ("unsafe-archive", read(packed({"../x": "y"}))),
        ("unusual-code", with_code("def f(:\n")),
        ("model-too-large", Archive("torchscript", size=1 << 31)),
        ("file-format-too-new", read(packed({"version": "10\n"}))),
        ("file-format-too-new", read(packed({".data/version": "7", "version": "3"}))),
        ("file-format-too-new", read(packed({"version": "0"}))),
        ("file-format-too-new", read(packed({"version": "\x1b[2J"}))),
        ("unknown-operator", with_body('y = torch.pad(x, [1, 1], "constant", 0.)')),
        ("unknown-operator", with_body("y = ops.prim.is_nested(x)")),
        ("operator-arguments", with_body('ops.prim.RaiseException("", "builtins.ValueError")')),
        ("operator-arguments", with_body("y = torch.relu(x, 1)")),
        ("operator-arguments", with_body("y = torch.relu(x, inplace=True)")),
        ("operator-arguments", with_body('y = torch.relu("x")')),
        ("operator-arguments", with_body("y = torch.softmax(x, 1.5)")),
        ("custom-operator", with_body("y = ops.torchaudio._lfilter(x, x, x)")),
        ("custom-operator", with_code("class A(Module):\n  a : __torch__.torch.classes.mine.Box\n")),
        ("unknown-type", with_code("def f(x: Union[int, str]) -> int:\n  return 1\n")),
        ("file-access", with_body('y = torch.save(x, "f")')),
        ("file-access", with_body('y = torch.from_file("f")')),
        ("file-access", with_body('y = ops.prim.rpc_sync("a", "b")')),
    ],
)
def test_each_rule_speaks_alone(rule: str, archive: Any) -> None:
    assert list(problems(archive)) == [rule]


@pytest.mark.parametrize(
    "body",
    [
        "y = torch.div(x, 2)",
        "y = torch.sum(x, [1], True, dtype=None)",
        "y = torch.zeros(1, 2)",
        "y = torch.add(1, x)",
        "y = torch.conv1d(x, x, None, [1], [0])",
        "y = torch.max_pool1d(x, 2)",
        'y = torch.to(x, "cpu", 6)',
        "y = torch.size(x)\nz = torch.append(y, 1)",
        "y = annotate(List[float], x.tolist())",
        "y = torch.stack((x, x), 0)",
        "y = annotate(Union[int, NoneType], 1)",
    ],
)
def test_calls_that_1_9_0_accepts_are_no_problem(body: str) -> None:
    assert problems(with_body(body)) == {}


def test_every_call_has_its_own_finding_with_place_and_advice() -> None:
    archive = with_body("y = torch.pad(x, [1])\nz = torch.pad(x, [2])")
    first, second = problems(archive)["unknown-operator"]
    assert (first.details["member_line"], second.details["member_line"]) == (8, 9)
    assert first.file == "model.pt"
    assert "code/__torch__.py:8" in first.message
    assert "constant_pad_nd" in first.hint


def test_old_formats_get_the_operators_of_their_time() -> None:
    body = MODULE.format(body='y = torch.div(x, x, rounding_mode="floor")')
    old, new = (read(packed({"version": version, "code/__torch__.py": body})) for version in ("3", "4"))
    assert list(problems(old)) == ["operator-arguments"]
    assert problems(new) == {}


def test_A80_A89_the_published_model_is_reported_whole() -> None:
    data = silero()
    found = problems(read(data.read_bytes()))
    assert set(found) == {"unknown-operator", "operator-arguments"}
    with zipfile.ZipFile(data) as archive:
        code = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")]
    pads = sum(len(re.findall(r"torch\.pad\(", text)) for text in code)
    raises = sum(len(re.findall(r"ops\.prim\.RaiseException\(.*, \"", text)) for text in code)
    assert [one.details["operator"] for one in found["unknown-operator"]] == ["aten::pad"] * pads
    assert [one.details["operator"] for one in found["operator-arguments"]] == ["prim::RaiseException"] * raises
    assert pads == 3
    assert raises > 10
