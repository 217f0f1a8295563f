"""Calls, types and names out of TorchScript source, hostile source included."""

from __future__ import annotations

from typing import Any

import pytest

from tests.archive.zips import MODULE, packed, read, silero, with_body, with_code


def calls(archive: Any) -> Any:
    return [
        (call.operator, call.arguments and [(one.keyword, one.type) for one in call.arguments])
        for call in archive.calls
    ]


@pytest.mark.parametrize(
    ("body", "operator", "arguments"),
    [
        ("y = torch.relu(x)", "aten::relu", [(None, "Tensor")]),
        ("y = ops.prim.device(x)", "prim::device", [(None, "Tensor")]),
        ("y = torch.autograd.grad(x)", "aten::grad", [(None, "Tensor")]),
        ("y = annotate(List[float], x.tolist())", "prim::tolist", [(None, "Tensor")]),
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
        ("y = torch.f(-6.+3.j)", "aten::f", [(None, "complex")]),
        ("y = torch.f((1, x, 2)[1:3])", "aten::f", [(None, "Tuple[Tensor, int]")]),
        ("def __f():\n  return torch.mul(x, x)\ny = fork(__f)\nz = torch.f(y)", "aten::f", [(None, "Future[Tensor]")]),
        ("y = torch.f(torch.nope(x))", "aten::f", [(None, "?")]),
        ("y = sorted([1])", "aten::sorted", [(None, "List[int]")]),
    ],
)
def test_calls_resolve_as_the_importer_resolves_them(body: str, operator: str, arguments: Any) -> None:
    archive = with_body(body.replace("'", '"'))
    assert archive.code_problems == ()
    assert (operator, arguments) in calls(archive)


def test_branches_and_loops_join_types() -> None:
    body = 'if bool(x):\n  y = 1\n  w = 1\nelse:\n  y = None\n  w = "a"\nz = torch.f(y)\nv = torch.g(w)'
    found = calls(with_body(body))
    assert ("aten::f", [(None, "Optional[int]")]) in found
    assert ("aten::g", [(None, "?")]) in found


def test_a_branch_that_ends_gives_no_types() -> None:
    body = 'y = 1\nif bool(x):\n  y = "a"\n  return x\nelse:\n  pass\nz = torch.f(y)'
    assert ("aten::f", [(None, "int")]) in calls(with_body(body))


def test_the_line_is_the_members_own() -> None:
    (call,) = with_body("y = 1\nz = torch.relu(x)").calls
    assert (call.file, call.line, call.source) == ("code/__torch__.py", 9, "z = torch.relu(x)")


def test_a_method_of_the_archive_that_is_called_save_is_no_operator() -> None:
    code = (
        MODULE.format(body="y = (self).save(x, )")
        + "  def save(self: __torch__.Model, x: Tensor) -> Tensor:\n    return x\n"
    )
    archive = with_code(code)
    assert (calls(archive), archive.code_problems) == ([], ())


def test_module_attributes_with_names_of_python_words_are_read() -> None:
    code = MODULE.format(body="y = self.lambda\n    z = torch.relu(x)").replace("training", "lambda")
    archive = with_code(code)
    assert archive.code_problems == ()
    assert calls(archive) == [("aten::relu", [(None, "Tensor")])]


#: What Torch 1.9.0 takes in one way or another, and what no exporter prints.
UNUSUAL = {
    "alias": "t = torch\ny = t.relu(x)",
    "annotated alias": "t : Tensor = torch\ny = 1",
    "alias of an operator": "f = torch.save\ny = 1",
    "alias of a namespace": "o = ops.aten\ny = 1",
    "alias in a branch": "if isinstance(x, int):\n  __torch__ = x\nelse:\n  __torch__ = torch",
    "alias in a list": 'y = [torch][0].save(x, "f")',
    "alias by with": "with x as ops:\n  pass",
    "alias by a loop": "for CONSTANTS in range(3):\n  pass",
    "alias by a tuple": "torch, y, = (x, x)",
    "alias by an argument": "y = torch.f(torch)",
    "alias by fork": 'y = fork(torch.save, x, "f")',
    "getattr of an identifier": 'y = getattr(self, "weight")',
    "getattr of a namespace": 'y = getattr(torch, "from" "_file")("f")',
    "getattr with an escape": 'y = getattr(torch, "sav\\145")(x, "f")',
    "method of a tensor": '_0 = (x).save("f")',
    "method of a list": "y = [1]\n_0 = y.append(1)",
    "attribute of a tensor": "y = x.shape",
    "attribute that the class lacks": "y = self.nope",
    "unknown name": "y = nope",
    "unknown function": "y = nope(x)",
    "unknown path": "y = __torch__.nope.f(x)",
    "unknown class": "y = annotate(__torch__.Nope, x)",
    "class as a value": "y = __torch__.Model",
    "type that is a namespace": "y : torch = x",
    "other case": "y = unchecked_cast(__torch__.model, x)",
    "sum": "y = x + x",
    "negation": "y = -x",
    "comparison": "y = x == x",
    "choice": "y = x if x else x",
    "comprehension": "y = [z for z in [x]]",
    "starred": "y = torch.f(*[x])",
    "assert": "assert x",
    "raise": "raise x",
    "elif": "if x:\n  pass\nelif x:\n  pass\nelse:\n  pass",
    "loop over a list": "for y in [x]:\n  pass",
    "augmented": "x += x",
    "two targets": "y = z = x",
    "docstring": '"torch"',
    "delete": "del x",
    "global": "global x",
    "import": "import os",
    "comment": "y = 1 # type: int",
    "zero byte": "y = 1\0",
    "continued line": "y = \\\n1",
    "three quotes": 'y = """a"""',
    "single quotes": "y = 'a'",
    "prefix": 'y = f"{x}"',
    "two strings": 'y = "a" "b"',
    "hexadecimal escape": 'y = "\\x41"',
    "line break in brackets": "y = (1,\n2)",
    "semicolon": "y = 1; z = 2",
    "blank line": "y = 1\n\nz = 2",
    "tab": "y\t= 1",
    "carriage return": "y = 1\rz = 2",
    "form feed": "y =\x0c1",
    "non-breaking space": "y =\xa01",
    "letters that are not ASCII": "ｙ = 1",
    "control character in a string": 'y = "\x85"',
    "word as a variable": "yield = x",
    "word as a value": "y = lambda",
    "hexadecimal number": "y = 0x1",
    "underscored number": "y = 1_0",
    "odd indentation": "if x:\n   y = 1",
    "open string": 'y = "\\N{',
    "byte order mark": "\ufeffy = 1",
    "walrus": "y = (z := x)",
    "decorator": "@torch.f\ndef f():\n  pass",
    "class in a function": "class A:\n  pass",
    "ellipsis": "y = ...",
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_no_exporter_prints_is_unusual_code(name: Any) -> None:
    archive = with_body(UNUSUAL[name])
    assert {problem.kind for problem in archive.code_problems} == {"unusual"}, calls(archive)


@pytest.mark.parametrize(
    "code",
    [
        "x = 1\n",
        "torch = ops\n",
        "import __torch__.a\n",
        "def f() -> int:\n  return 1\ndef f() -> int:\n  return 2\n",
        "class A(Module):\n  a : int\n  a : Tensor\n",
        "class A(Module):\n  def f(self) -> int:\n    return 1\n  def f(self) -> int:\n    return 2\n",
        "class A(Module):\n  def f(self) -> int:\n    return 1\n  a : int\n",
        "class A(Nope):\n  a : int\n",
        "class A(Module):\n  torch = ops\n",
        "class A(Module):\n  a : __torch__.B\n",
        "def f(torch: Tensor) -> Tensor:\n  return torch\n",
        "def f(*x: Tensor) -> Tensor:\n  return x\n",
        "def f(x: Tensor=torch) -> Tensor:\n  return x\n",
        "def f(x: Tensor) -> __torch__.B:\n  return x\n",
        "  def f() -> int:\n    return 1\n",
        "def f(:\n",
        "def f(x: Tensor",
    ],
)
def test_definitions_that_no_exporter_prints_are_unusual_code(code: str) -> None:
    assert {problem.kind for problem in with_code(code).code_problems} == {"unusual"}


@pytest.mark.parametrize(
    "name", ["code/__torch__/a.b.py", "__torch__/a.py", "code/a.py", "code/__torch__/a.txt", "x/code/__torch__.py"]
)
def test_code_is_looked_for_where_torch_looks_and_nowhere_else(name: str) -> None:
    decoy = "class N:\n  a : int\n  def save(self: __torch__.N, f: str) -> int:\n    return 1\n"
    archive = with_code(MODULE.format(body="y = torch.relu(x)"), **{name: decoy})
    assert any("is not one that PyTorch writes" in sentence for sentence in archive.unsafe)
    assert calls(archive) == [("aten::relu", [(None, "Tensor")])]


def test_code_that_is_refused_still_tells_what_could_reach_a_file() -> None:
    archive = with_body('y = getattr(torch, "save")(x, "f") # \0')
    assert [(call.operator, call.line, call.called) for call in archive.calls] == [("aten::save", 8, False)]


DEEP = 100_000
NESTED = {
    "attributes": "x" + ".a" * DEEP,
    "calls": "x" + "()" * DEEP,
    "signs": "-" * DEEP + "x",
    "parentheses": "(" * DEEP + "x" + ")" * DEEP,
    "subscripts": "x" + "[0]" * DEEP,
    "lists": "[" * DEEP + "x" + "]" * DEEP,
    "types": "annotate(" + "List[" * DEEP + "int" + "]" * DEEP + ", x)",
}


@pytest.mark.parametrize("name", NESTED)
def test_no_nesting_ends_the_process(name: Any) -> None:
    (problem,) = with_body(f"y = {NESTED[name]}").code_problems
    assert (problem.kind, problem.line) == ("unusual", 8)
    assert "nested too deeply" in problem.message


@pytest.mark.slow
def test_types_that_double_and_branches_without_end_stay_cheap() -> None:
    doubled = "\n".join(["x = (x, x)"] * 5000)
    assert len(with_body(f"{doubled}\ny = torch.f(x)").calls[0].arguments[0].type) < 1000
    branches = "\n".join(f"if bool(x):\n  v{index} = 1\nelse:\n  pass" for index in range(8000))
    archive = with_body(branches)
    assert [problem.kind for problem in archive.code_problems] == ["unusual"]


def test_a_function_beyond_all_bounds_is_unusual_code() -> None:
    archive = with_body("\n    ".join(["y = [" + "0, " * 1000 + "]"] * 300))
    assert "more than 250,000 words" in archive.code_problems[0].message


@pytest.mark.parametrize(("text", "version"), [("6\n", 6), ("3", 3), ("x", None), ("", None), ("9" * 500, None)])
def test_the_format_is_a_number_or_nothing(text: Any, version: Any) -> None:
    archive = read(packed({"version": text}))
    assert archive.format_version == version
    assert [problem.kind for problem in archive.code_problems] == [] if version else ["version"]


def test_a_published_model_is_read_whole() -> None:
    data = silero().read_bytes()
    archive = read(data)
    assert archive.kind == "torchscript"
    assert (archive.format_version, archive.producer) == (3, "PyTorch 2.1 or newer")
    assert archive.root_type == "__torch__.vad.model.vad_annotator.VADRNNJITMerge"
    assert archive.parameters == 462_594
    assert archive.dtypes == {"float32": 545_282}
    assert (archive.unsafe, archive.code_problems) == ((), ())
    unknown = sum("?" in one.type for call in archive.calls for one in call.arguments or ())
    assert unknown <= 5
