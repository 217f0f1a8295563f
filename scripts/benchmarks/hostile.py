"""Archives that mean harm, made by a table of payloads and a table of ways to hide them.

Each one is what an attacker would write by hand: a member of code in PyTorch's layout whose ``forward`` (or something
that runs before it) writes or reads a file. :func:`archives` yields them by name. Which of them Torch 1.9.0 really
runs is measured, not assumed: see ``scripts/benchmarks/detection.py``.
"""

from __future__ import annotations

import struct
from typing import Dict, Iterator, List, Mapping, Tuple

from scripts.benchmarks import handmade
from scripts.benchmarks.handmade import HEAD, Entry, Layout, forward, members

#: The file that a payload writes in the working folder.
WRITTEN = "out.bin"

#: Expressions that touch a file; ``x`` is the block.
PAYLOADS: Mapping[str, str] = {
    "save": 'torch.save(x, "out.bin")',
    "ops-save": 'ops.aten.save(x, "out.bin")',
    # Added to the block: Torch leaves out what nothing uses.
    "map-write": 'torch.add_(x, torch.sum(torch.from_file("out.bin", True, 16)))',
    "map-read": 'torch.add_(x, torch.sum(torch.from_file("/etc/passwd", False, 16)))',
}

#: Statements of ``forward`` around a payload ``P``, with four spaces before each line.
STATEMENTS: Mapping[str, str] = {
    "plain": "    _0 = P\n",
    "bare": "    P\n",
    "in-a-branch": '    if torch.eq(torch.len("a"), 1):\n      _0 = P\n    else:\n      pass\n',
    "in-a-loop": "    for _i in range(1):\n      _0 = P\n",
    "in-a-while": "    _c = True\n    while _c:\n      _0 = P\n      _c = False\n",
    "in-a-comprehension": "    _0 = [P for _i in [1]]\n",
    "in-a-tuple": "    _0 = (P, x)\n",
    "in-a-list-of-none": "    _0 = [P, P]\n",
    "in-an-assert": "    assert True, str(P)\n    _0 = P\n",
    "in-a-ternary": "    _0 = P if True else P\n",
    "in-a-format": '    _0 = torch.format("{}", P)\n',
    "in-isinstance": "    _0 = isinstance(P, int)\n",
    "in-annotate": "    _0 = annotate(NoneType, P)\n",
    "in-unchecked-cast": "    _0 = unchecked_cast(Tensor, P)\n",
    "in-uninitialized": "    _1 = uninitialized(Tensor)\n    _0 = P\n",
    "as-an-argument": "    _0 = __torch__.h.id(x, P)\n",
    "comment-before": "    # nothing to see\n    _0 = P\n",
    "comment-with-quotes": '    # """\n    _0 = P\n    # """\n',
    "comment-with-nul": "    _0 = P # \0\n",
    "form-feed": "    \f_0 = P\n",
    "tab-indent": "    _0 = P\t\n",
    "two-on-a-line": "    _0 = 1; _1 = P\n",
    "carriage-return": "    _0 = 1\r\n    _1 = P\r\n",
    "continued": "    _0 = \\\n P\n",
    "over-lines": "    _0 = (P\n)\n",
    "keyword-variable": "    yield = P\n",
    "keyword-variables": "    lambda = 1\n    async = P\n",
    "non-ascii-variable": "    é = P\n",
    "deep-parentheses": "    _1 = " + "(" * 250 + "1" + ")" * 250 + "\n    _0 = P\n",
    "long-line": "    _1 = [" + "1, " * 20000 + "1]\n    _0 = P\n",
    "triple-quoted": '    _s = """\n    # """ + str(P)\n',
    "byte-order-mark-in-text": '    _1 = "\ufeff"\n    _0 = P\n',
    "bidirectional-override": '    _1 = "\u202e"\n    _0 = P\n',
}

#: Ways to call ``save`` or ``from_file`` by another name: ``F`` is the function's name, ``A`` its arguments.
CALLS: Mapping[str, str] = {
    "getattr": '    _0 = getattr(torch, "F")(A)\n',
    "getattr-of-ops": '    _0 = getattr(ops.aten, "F")(A)\n',
    "getattr-twice": '    _0 = getattr(getattr(ops, "aten"), "F")(A)\n',
    "alias": "    t = torch\n    _0 = t.F(A)\n",
    "alias-of-ops": "    o = ops.aten\n    _0 = o.F(A)\n",
    "alias-of-the-function": "    f = torch.F\n    _0 = f(A)\n",
    "alias-in-a-tuple": "    t, u = (torch, x)\n    _0 = t.F(A)\n",
    "alias-in-a-branch": "    if True:\n      t = torch\n    else:\n      t = torch\n    _0 = t.F(A)\n",
    "alias-by-static-if": "    if isinstance(x, int):\n      __torch__ = x\n    else:\n      __torch__ = torch\n"
    "    _0 = __torch__.F(A)\n",
    "alias-by-annotation": "    t : __torch__.h.N = torch\n    _0 = t.F(A)\n",
    "alias-by-parameter-name": "    self = torch\n    _0 = self.F(A)\n",
    "alias-named-as-a-class": "    N = torch\n    _0 = N.F(A)\n",
    "alias-named-constants": "    CONSTANTS = torch\n    _0 = CONSTANTS.F(A)\n",
    "alias-named-torch": "    torch_ = torch\n    _0 = torch_.F(A)\n",
    "alias-of-another-namespace": "    ops_ = ops\n    _0 = ops_.aten.F(A)\n",
    "spaced": "    _0 = torch . F ( A )\n",
    "in-parentheses": "    _0 = (torch).F(A)\n",
    "in-two-parentheses": "    _0 = ((torch)).F(A)\n",
    "broken-in-parentheses": "    _0 = (torch\n  .F)(A)\n",
    "continued-in-the-name": "    _0 = torch.\\\nF(A)\n",
    "through-autograd": "    _0 = torch.autograd.F(A)\n",
    "shadowed-ops": "    aten = ops.aten\n    _0 = aten.F(A)\n",
    "rebound-then-used": "    t = x\n    t = torch\n    _0 = t.F(A)\n",
    "named-argument-order": "    _0 = torch.F(K)\n",
}

#: Values of a class's constant, which Torch computes while it loads; ``P`` stands for a payload.
CONSTANTS: Mapping[str, Tuple[str, str]] = {
    "counted": ("int", "torch.len([P])"),
    "cast": ("int", "int(P)"),
    "as-text": ("str", "torch.str(P)"),
    "cast-to-text": ("str", "str(P)"),
    "in-a-tuple": ("Tuple[int, int]", "(1, torch.len([P]))"),
    "in-a-dictionary": ("Dict[int, int]", "{1: torch.len([P])}"),
    "as-an-index": ("int", "[1, 2][torch.len([P])]"),
    "negative": ("int", "-torch.len([P])"),
    "annotated": ("int", "annotate(int, torch.len([P]))"),
    "of-a-device": ("Device", "torch.device(torch.str(P))"),
    "of-a-ternary": ("int", "1 if torch.eq(torch.len([P]), 1) else 2"),
    "of-a-function": ("int", "__torch__.h.leak()"),
    "by-getattr": ("int", 'torch.len([getattr(torch, "save")([1], "out.bin")])'),
}

_HELPERS = """class N:
  a : int
  def save(self: __torch__.h.N, x: Tensor, f: str) -> int:
    return 1
  def from_file(self: __torch__.h.N, f: str, s: bool, n: int) -> int:
    return 1
def id(x: Tensor,
    y: ANY) -> Tensor:
  return x
def save(a: Tensor, b: str) -> Tensor:
  return a
def from_file(f: str, s: bool, n: int) -> int:
  return 1
"""


def _helpers(payload_type: str) -> str:
    return _HELPERS.replace("ANY", payload_type)


def _type_of(payload: str) -> str:
    return "NoneType" if "save" in payload else "Tensor"


def _by_statement() -> Iterator[Tuple[str, bytes]]:
    for way, statement in STATEMENTS.items():
        for name, payload in PAYLOADS.items():
            text = statement.replace("P", payload)
            if way == "in-annotate" and _type_of(payload) == "Tensor":
                text = text.replace("NoneType", "Tensor")
            code = {"__torch__/kit.py": forward(text), "__torch__/h.py": _helpers(_type_of(payload))}
            yield f"{way}-{name}", Layout(members(code)).pack()


def _by_call() -> Iterator[Tuple[str, bytes]]:
    functions = {
        "save": ('x, "out.bin"', 'item=x, filename="out.bin"'),
        "from_file": ('"out.bin", True, 16', 'filename="out.bin", shared=True, size=16'),
    }
    for way, statement in CALLS.items():
        for name, (positional, keywords) in functions.items():
            text = statement.replace("F", name).replace("(A)", f"({positional})").replace("( A )", f"( {positional} )")
            text = text.replace("(K)", f"({keywords})")
            if name == "from_file":
                text += "    _1 = torch.add_(x, torch.sum(_0))\n"
            code = {"__torch__/kit.py": forward(text), "__torch__/h.py": _helpers("Tensor")}
            code["__torch__.py"] = "def save(a: Tensor, b: str) -> Tensor:\n  return a\n"
            yield f"{way}-{name.replace('_', '-')}", Layout(members(code)).pack()


def _by_constant() -> Iterator[Tuple[str, bytes]]:
    payloads = {"save": 'torch.save([1], "out.bin")', "map-write": 'torch.sum(torch.from_file("out.bin", True, 16))'}
    for way, (kind, value) in CONSTANTS.items():
        for name, payload in payloads.items():
            text = HEAD + f"  constant : Final[{kind}] = {value.replace('P', payload)}\n"
            helper = f"def leak() -> int:\n  return torch.len([{payload}])\n"
            code = {"__torch__/kit.py": forward("", text), "__torch__/h.py": helper}
            yield f"constant-{way}-{name}", Layout(members(code)).pack()


def _by_place() -> Iterator[Tuple[str, bytes]]:
    """Payloads in code that runs at load, or that ``forward`` reaches in a roundabout way."""
    payload = PAYLOADS["save"]
    setstate = (
        "  def __setstate__(self: __torch__.kit.M,\n    state: Tuple[bool, Optional[bool]]) -> NoneType:\n"
        "    x = torch.zeros([4])\n    _0 = P\n    self.training = (state)[0]\n"
        "    self._is_full_backward_hook = (state)[1]\n    return None\n"
    )
    getstate = (
        "  def __getstate__(self: __torch__.kit.M) -> Tuple[bool, Optional[bool]]:\n"
        "    return (self.training, self._is_full_backward_hook)\n"
    )
    data = b"\x80\x02c__torch__.kit\nM\nq\x00)\x81\x88N\x86q\x01bq\x02."
    code = {"__torch__/kit.py": forward("") + getstate + setstate.replace("P", payload)}
    yield "in-setstate", Layout(members(code, data)).pack()
    helper = "def leak(x: Tensor) -> Tensor:\n  _0 = P\n  return x\n".replace("P", payload)
    call = "    _0 = __torch__.h.leak(x)\n"
    yield "in-a-function", Layout(members({"__torch__/kit.py": forward(call), "__torch__/h.py": helper})).pack()
    deep = {"__torch__/kit.py": forward("    _0 = __torch__.a.b.c.d.leak(x)\n"), "__torch__/a/b/c/d.py": helper}
    yield "in-a-function-deep-in-folders", Layout(members(deep)).pack()
    mangled = {"__torch__/kit.py": forward("    _0 = __torch__.___torch_mangle_0.leak(x)\n")}
    mangled["__torch__/___torch_mangle_0.py"] = helper
    yield "in-a-mangled-module", Layout(members(mangled)).pack()
    fork = "    _0 = fork(__torch__.h.leak, x)\n    _1 = wait(_0)\n"
    yield "in-a-fork", Layout(members({"__torch__/kit.py": forward(fork), "__torch__/h.py": helper})).pack()
    method = forward("    _0 = (self).leak(x)\n") + (
        "  def leak(self: __torch__.kit.M,\n    x: Tensor) -> Tensor:\n    _0 = P\n    return x\n"
    ).replace("P", payload)
    yield "in-a-method", Layout(members({"__torch__/kit.py": method})).pack()
    cls = "class K:\n  a : Tensor\n  def __init__(self: __torch__.h.K,\n    x: Tensor) -> NoneType:\n"
    cls += f"    _0 = {payload}\n    self.a = x\n    return None\n"
    construct = "    _0 = __torch__.h.K.__new__(__torch__.h.K)\n    _1 = (_0).__init__(x)\n"
    yield "in-a-constructor", Layout(members({"__torch__/kit.py": forward(construct), "__torch__/h.py": cls})).pack()
    tensor_method = forward('    _0 = x.save("out.bin")\n')
    yield "as-a-method-of-a-tensor", Layout(members({"__torch__/kit.py": tensor_method})).pack()
    bound = forward('    f = x.save\n    _0 = f("out.bin")\n')
    yield "as-a-bound-method", Layout(members({"__torch__/kit.py": bound})).pack()
    counted = f"torch.len([{payload}])".replace("x,", "[1],")
    parameter = f"def leak(n: int={counted}) -> int:\n  return n\n"
    call = "    _0 = __torch__.h.leak()\n"
    yield "in-a-default", Layout(members({"__torch__/kit.py": forward(call), "__torch__/h.py": parameter})).pack()
    for hook, takes, gives in (("__forward_pre_hooks__", "", "i"), ("__forward_hooks__", ", o: Tensor", "o")):
        head = HEAD.replace("  training", f'  {hook} = ["hook"]\n  training')
        method = (
            f"  def hook(self: __torch__.kit.M, i: Tuple[Tensor]{takes}) -> {'Tensor' if takes else 'Tuple[Tensor]'}:\n"
        )
        method += f"    _0 = {counted}\n    return {gives}\n"
        yield (
            f"in-{hook.strip('_').replace('_', '-')}",
            Layout(members({"__torch__/kit.py": forward("", head) + method})).pack(),
        )
    for magic, use in (("__int__", "int(k)"), ("__getitem__", "(k)[0]"), ("__len__", "len(k)"), ("__str__", "str(k)")):
        index, gives = (", i: int", "int") if "item" in magic else ("", "str" if "str" in magic else "int")
        cls = f"class K:\n  a : int\n  def {magic}(self: __torch__.h.K{index}) -> {gives}:\n    _0 = {counted}\n"
        cls += f"    return {'1' if gives == 'int' else chr(34) * 2}\n"
        call = f"    k = __torch__.h.K.__new__(__torch__.h.K)\n    _0 = {use}\n"
        yield (
            f"in-{magic.strip('_')}",
            Layout(members({"__torch__/kit.py": forward(call), "__torch__/h.py": cls})).pack(),
        )
    code = {"__torch__/KIT.py": forward(f"    _0 = {payload}\n")}
    yield "in-a-member-of-another-case", Layout(members(code)).pack()
    text = forward('    _0 = ops.aten.save("text", "out.bin")\n')
    yield "saves-a-string", Layout(members({"__torch__/kit.py": text})).pack()


def _by_layout() -> Iterator[Tuple[str, bytes]]:
    """One archive to a reader that trusts one thing, another to Torch."""
    good, bad = forward("    x = torch.add(x, 0.)\n"), forward(f"    _0 = {PAYLOADS['save']}\n")
    code = "m/code/__torch__/kit.py"
    plain = members({"__torch__/kit.py": bad})

    def swapped(listed: List[Entry]) -> bytes:
        return Layout(listed).pack()

    def entry(name: str, text: str, **options: object) -> Entry:
        return Entry(name.encode(), text.encode(), **options)  # type: ignore[arg-type]

    rest = [one for one in plain if not one.name.endswith(b".py")]
    yield "twice-good-first", swapped([*rest, entry(code, good), entry(code, bad)])
    yield "twice-bad-first", swapped([*rest, entry(code, bad), entry(code, good)])
    yield "other-case-good-first", swapped([*rest, entry(code.replace("kit", "KIT"), good), entry(code, bad)])
    yield "other-case-bad-first", swapped([*rest, entry(code.replace("kit", "KIT"), bad), entry(code, good)])
    yield "whole-name-in-capitals", swapped([*rest, entry("M/CODE/__TORCH__/KIT.PY", bad)])
    yield "local-name-differs", swapped([*rest, entry(code, bad, local_name=b"m/code/__torch__/abc.py")])
    yield "local-name-longer", swapped([*rest, entry(code, bad, local_name=b"m/code/__torch__/kit.py/longer")])
    yield "deflated-code", swapped([*rest, entry(code, bad, deflated=True)])
    yield "encrypted-flag", swapped([*rest, entry(code, bad, flags=1)])
    yield "data-descriptor-flag", swapped([*rest, entry(code, bad, flags=8)])
    yield "backslashes-in-the-name", swapped([*rest, entry("m\\code\\__torch__\\kit.py", bad)])
    yield "hidden-member", swapped([*plain, entry("m/code/__torch__/x.py", bad, in_directory=False)])
    yield "prefix", Layout(plain, prefix=b"#!/bin/sh\nexit\n" + b"\n" * 49).pack()
    yield "comment", Layout(plain, comment=b"good").pack()
    other = Layout(members({"__torch__/kit.py": good})).pack()
    yield "comment-holds-an-archive", Layout(plain, comment=other).pack()
    yield "bytes-before-the-directory", Layout(plain, before_directory=b"\0" * 64).pack()
    yield "bytes-after-the-directory", Layout(plain, after_directory=b"\0" * 64).pack()
    yield "trailing-bytes", Layout(plain).pack() + b"\0" * 16
    yield "second-archive-behind", Layout(plain).pack() + other
    yield "second-archive-before", other + Layout(plain).pack()
    yield "two-top-folders", swapped([*plain, entry("n/code/__torch__/kit.py", good)])
    yield "decoy-outside-code", swapped([*plain, entry("m/__torch__/kit.py", good)])
    yield "decoy-dotted", swapped([*plain, entry("m/code/__torch__.kit.py", good)])
    yield "decoy-in-a-folder-named-py", swapped([*plain, entry("m/code/__torch__/kit.py/kit.py", good)])
    yield "climbing", swapped([*plain, entry("m/../../out.bin", good)])
    yield "zip64-locator-in-the-way", _zip64(plain, members({"__torch__/kit.py": good}))
    legacy = (
        '{"protoVersion": "5", "mainModule": {"torchscriptArena": {"key": "code/evil.txt"}, "name": "M", '
        '"optimize": true, "submodules": [], "parameters": [], "attributes": []}, "producerName": "pytorch", '
        '"producerVersion": "1.0", "tensors": []}'
    )
    evil = f"op_version_set = 1\ndef forward(self,\n    x: Tensor) -> Tensor:\n  _0 = {PAYLOADS['save']}\n  return x\n"
    for key in ("code/evil.txt", "evil", "code/evil.py", "tensors/0"):
        listed = [entry("m/model.json", legacy.replace("code/evil.txt", key)), entry(f"m/{key}", evil)]
        listed += [entry("m/attributes.pkl", "\x80\x02)."[1:]), Entry(b"m/version", b"1\n")]
        listed[2] = Entry(b"m/attributes.pkl", handmade.CONSTANTS)
        yield f"legacy-arena-{key.replace('/', '-').replace('.', '-')}", swapped(listed)


def _zip64(real: List[Entry], shown: List[Entry]) -> bytes:
    """A file whose plain end record lists ``shown`` and whose zip64 record, in a comment-like gap, lists ``real``."""
    first = bytearray(Layout(real).pack())
    end = first.rfind(b"PK\5\6")
    count, size, offset = struct.unpack("<HII", first[end + 10 : end + 20])
    body = bytes(first[:end])
    second = Layout(shown, prefix=body).pack()
    tail = second.rfind(b"PK\5\6")
    record_at = tail
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, record_at, 1)
    return second[:tail] + record + locator + second[tail:]


def archives() -> Dict[str, bytes]:
    """Every hostile archive by its name."""
    made: Dict[str, bytes] = {}
    for source in (_by_statement, _by_call, _by_constant, _by_place, _by_layout):
        for name, content in source():
            if name in made:
                raise ValueError(f"two archives are called {name}")
            made[name] = content
    return made
