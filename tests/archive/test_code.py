"""Calls, types and names out of TorchScript source, hostile source included."""

from __future__ import annotations

import pytest

from tests.archive.zips import MODULE, packed, read, silero, with_body, with_code


def calls(archive):
    return [
        (call.operator, call.arguments and [(one.keyword, one.type) for one in call.arguments])
        for call in archive.calls
    ]


@pytest.mark.parametrize(
    ("body", "operator", "arguments"),
    [
        ("y = torch.relu(x)", "aten::relu", [(None, "Tensor")]),
        ("y = ops.prim.device(x)", "prim::device", [(None, "Tensor")]),
        ("y = torch.autograd.relu(x)", "aten::relu", [(None, "Tensor")]),
        ("y = (x).relu()", "aten::relu", [("self", "Tensor")]),
        ("t = torch\ny = t.relu(x)", "aten::relu", [(None, "Tensor")]),
        ("f = torch.relu\ny = f(x)", "aten::relu", [(None, "Tensor")]),
        ("y = getattr(torch, 'r' '\\x65lu')(x)", "aten::relu", [(None, "Tensor")]),
        ("y = torch.zeros([1, 2], dtype=6)", "aten::zeros", [(None, "List[int]"), ("dtype", "int")]),
        ("y = torch.cat([x, self.weight], 1)", "aten::cat", [(None, "List[Tensor]"), (None, "int")]),
        ("y = torch.f(annotate(List[int], []), None)", "aten::f", [(None, "List[int]"), (None, "NoneType")]),
        ("y = torch.f(unchecked_cast(Dict[str, int], x))", "aten::f", [(None, "Dict[str, int]")]),
        ("for i in range(3):\n  y = torch.f(i)", "aten::f", [(None, "int")]),
        ("y, z, = (1, 'a')\nw = torch.f(z)", "aten::f", [(None, "str")]),
        (
            "y = torch.f(inf, bool(x), (1, x))",
            "aten::f",
            [(None, "float"), (None, "bool"), (None, "Tuple[int, Tensor]")],
        ),
        ("y = x @ x", "aten::matmul", [(None, "Tensor"), (None, "Tensor")]),
        ("y = torch.f(*[x])", "aten::f", None),
        ("y = torch.f(x.nope.deeper)", "aten::f", [(None, "?")]),
    ],
)
def test_calls_resolve_as_the_importer_resolves_them(body, operator, arguments):
    assert (operator, arguments) in calls(with_body(body))


def test_branches_and_loops_join_types():
    body = "if bool(x):\n  y = 1\n  w = 1\nelse:\n  y = None\n  w = 'a'\nz = torch.f(y)\nv = torch.g(w)"
    found = calls(with_body(body))
    assert ("aten::f", [(None, "Optional[int]")]) in found
    assert ("aten::g", [(None, "?")]) in found


def test_a_test_for_none_leaves_the_type_open():
    body = "y : Optional[Tensor] = x\nif y is not None:\n  z = torch.relu(y)"
    assert ("aten::relu", [(None, "?")]) in calls(with_body(body))


def test_the_line_is_the_members_own():
    (call,) = with_body("y = 1\nz = torch.relu(x)").calls
    assert (call.file, call.line, call.source) == ("code/__torch__.py", 9, "z = torch.relu(x)")


@pytest.mark.parametrize(
    "body",
    [
        "y = torch.save(x, 'f')",
        "y = torch.from_file('f')",
        "f = torch.save\ng = f",
        "y = getattr(ops.aten, 'from' '_file')('f')",
        "y = (x.nope).save('f')",
        "y = [torch][0].save(x, 'f')",
        "with x as y:\n  y.from_file('f')",
    ],
)
def test_whatever_can_reach_a_file_is_noted(body):
    assert {"aten::save", "aten::from_file"} & {call.operator for call in with_body(body).calls}


def test_a_method_of_the_archive_that_is_called_save_is_no_operator():
    code = (
        MODULE.format(body="y = (self).save(x, )")
        + "  def save(self: __torch__.Model, x: Tensor) -> Tensor:\n    return x\n"
    )
    assert calls(with_code(code)) == []


def test_module_attributes_with_names_of_python_words_are_read():
    code = MODULE.format(body="y = self.lambda\n    z = torch.relu(x)").replace("training", "lambda")
    archive = with_code(code)
    assert archive.code_problems == ()
    assert calls(archive) == [("aten::relu", [(None, "Tensor")])]


DEEP = 100_000
NESTED = {
    "attributes": "x" + ".a" * DEEP,
    "calls": "x" + "()" * DEEP,
    "sums": "x" + "+x" * DEEP,
    "signs": "-" * DEEP + "x",
    "parentheses": "(" * DEEP + "x" + ")" * DEEP,
    "powers": "x" + "**x" * DEEP,
    "subscripts": "x" + "[0]" * DEEP,
    "choices": "x if x else " * DEEP + "x",
    "zero byte": "x\0",
    "open string": '"\\N{',
    "byte order mark": "\ufeff",
}


@pytest.mark.parametrize("name", NESTED)
def test_no_nesting_hides_a_call_or_ends_the_process(name):
    archive = with_body(f"y = torch.save(x, 'f')\ny = {NESTED[name]}")
    assert "aten::save" in {call.operator for call in archive.calls}
    assert archive.code_problems[0].kind == "syntax"


def test_types_that_double_and_branches_without_end_stay_cheap():
    doubled = "\n".join(["x = (x, x)"] * 5000)
    assert len(with_body(f"{doubled}\ny = torch.f(x)").calls[0].arguments[0].type) < 1000
    branches = "\n".join(f"if x:\n  v{index} = 1" for index in range(8000))
    archive = with_body(f"{branches}\ny = torch.save(x, 'f')")
    assert "aten::save" in {call.operator for call in archive.calls}


def test_more_code_than_is_parsed_is_searched_by_name():
    filler = "    z = 1\n" * 250_000
    archive = with_code(MODULE.format(body=f"y = torch.pad(x)\n{filler}"))
    assert [(call.operator, call.arguments, call.line) for call in archive.calls] == [("aten::pad", None, 8)]


@pytest.mark.parametrize(("text", "version"), [("6\n", 6), ("3", 3), ("x", None), ("", None), ("9" * 500, None)])
def test_the_format_is_a_number_or_nothing(text, version):
    archive = read(packed({"version": text}))
    assert archive.format_version == version
    assert [problem.kind for problem in archive.code_problems] == [] if version else ["version"]


def test_a_published_model_is_read_whole():
    data = silero().read_bytes()
    archive = read(data)
    assert archive.kind == "torchscript"
    assert (archive.format_version, archive.producer) == (3, "PyTorch 2.1 or newer")
    assert archive.root_type == "__torch__.vad.model.vad_annotator.VADRNNJITMerge"
    assert archive.parameters == 462_594
    assert archive.dtypes == {"float32": 545_282}
    assert archive.unsafe == archive.code_problems == ()
    unknown = sum("?" in one.type for call in archive.calls for one in call.arguments or ())
    assert unknown <= 5
