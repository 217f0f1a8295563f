"""Changes to an input that keep enough of its form to get past the first check: a zip's members, words of code.

Everything follows from the random numbers that are given, so a run can be repeated.
"""

from __future__ import annotations

import io
import re
from random import Random
from typing import Callable, Dict, List, Sequence

from audacitorch.archive.layout import NotAZip, read_layout
from audacitorch.archive.members import MemberError, read_contents
from scripts.benchmarks import hostile
from scripts.benchmarks.handmade import Entry, Layout

Mutate = Callable[[bytes, Random], bytes]
_WORDS = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|\n *|[^A-Za-z0-9_]")

_CODE = [
    word.encode("utf-8", "surrogateescape")
    for word in (
        *hostile.STATEMENTS.values(), *hostile.CALLS.values(), *hostile.PAYLOADS.values(),
        "torch", "ops", "__torch__", "CONSTANTS.c0", "self", "x", "aten", "prim", "save", "from_file", "getattr",
        "annotate", "unchecked_cast", "uninitialized", "isinstance", "fork", "range", "len", "sorted", "int", "Tensor",
        "List[Tensor]", "Optional[int]", "Dict[str, int]", "Final[int]", "Tuple[int, Tensor]", "class ", "def ",
        "(Module)", "(NamedTuple)", "(Enum)", "(Interface)", ":\n", "\n    ", "\n      ", "\n  ", "\n", " = ", "->",
        "return ", "if ", "else:\n", "while ", "for ", "with ", "pass", "as ", "in ", "not ", "lambda ", "yield ",
        "(", ")", "[", "]", "{", "}", ",", ".", ":", "=", "-", "+", '"', "'", "\\", "#", ";", "@", "*", "\t", "\r",
        "\f", "\0", "1", "-1", "1.5", "1j", "inf", "nan", "None", "True", "__new__", "__init__", "__setstate__",
        "__parameters__ = []", '__annotations__["0"] = int', "[0]", "[0:1]", "[::0]", "é", "\u2028",
    )
    if word
]  # fmt: skip
_PICKLE = [
    bytes((opcode,)) for opcode in b"(.01234FGIJKLMNPQRSTUVX]abcdeghijlopqrstu}\x80\x81\x82\x85\x86\x87\x88\x89\x8a"
] + [
    b"c__torch__\nK\n", b")\x81", b"}b", b"\x85.", b"X\1\0\0\0a", b"K\xff", b"J\xff\xff\xff\xff", b"q\0",
    b"h\0", b"r\xff\0\0\0", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n",
    b"ctorch.jit._pickle\nbuild_intlist\n", b"\x8a\xff", b"L1L\n.", b"G\x7f\xf8\0\0\0\0\0\0",
    b"ccollections\nOrderedDict\n)R", b"B\xff\xff\xff\x7f",
]  # fmt: skip
_JSON = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b'"a"', b'""', b"null", b"true", b"false", b"0", b"-",
    b"1e999", b"1E-5", b"NaN", b"Infinity", b"9" * 400, b"0.1", b"\\u0000", b"\\ud800", b"\\udc00", b"\xff",
    b"\xed\xa0\x80", b"\0", b"\n", b"\xef\xbb\xbf", b'{"a":1}', b"[[[[[[[[", b'"__proto__"', b"[1]",
    b'{"name": 1}', b'"/accept"', b'"a/b"',
]  # fmt: skip
_TEXT = [
    b"---\n", b"- ", b": ", b"&a ", b"*a ", b"!!python/object:os.system ", b"!!binary ", b"|\n ", b">\n ",
    b"? ", b"[", b"]", b"{", b"}", b"<!--", b"-->", b"<<: *a\n", b"tags:\n", b"audacity", b"#", b"###",
    b"Repo ID", b"**", b"`", b"> ", b"```\n", b"/accept", b"/decline ", b"/recheck", b"\n", b"\r", b"\r\n",
    b"\t", b"\0", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xcc\x81" * 40, b"\xef\xbb\xbf", b"\xff",
    b"\xed\xa0\x80", b"https://huggingface.co/", b"a/b", b"@main", b"<p>", b"</p>", b"_No response_",
    b"2020-01-01", b"1_000", b"0x1", b"1:30", b".inf", b"~", b"%YAML 1.2\n", b"...\n", b"](", b"<a@b.c>",
]  # fmt: skip


def _splice(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """A few changes at the borders of words: drop, repeat, swap, insert from the dictionary, change a byte."""
    pieces = _WORDS.findall(data[: 1 << 16]) or [b""]
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        at, other = random.randrange(len(pieces)), random.randrange(len(pieces))
        what = random.randrange(7)
        if what == 0:
            del pieces[min(at, other) : min(min(at, other) + random.choice((1, 2, 8)), max(at, other) + 1)]
        elif what == 1:
            pieces[at:at] = pieces[other : other + random.choice((1, 4, 16))]
        elif what == 2:
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif what in (3, 4):
            pieces.insert(at, random.choice(words))
        elif what == 5:
            pieces[at] = random.choice(words)
        elif pieces[at]:
            changed = bytearray(pieces[at])
            changed[random.randrange(len(changed))] = random.randrange(256)
            pieces[at] = bytes(changed)
        pieces = pieces or [b""]
    return b"".join(pieces)


_LINES = [
    b"    _9 = torch.relu(x)\n", b"    x = torch.neg(x)\n", b"    y = [x, x]\n",
    b"    y = annotate(Optional[Tensor], x)\n", b"    y = (x, 1)\n", b"    z = (y)[0]\n", b"    z = y\n",
    b"    y = None\n", b"    x, y, = (x, x)\n", b"    y = (z)[0:1]\n",
    b"    if True:\n      y = x\n    else:\n      y = torch.abs(x)\n", b"    k = (self).training\n",
    b"    return x\n", b"    while False:\n      x = torch.exp(x)\n",
    b"    for i in range(2):\n      y = torch.mul(x, i)\n", b"    y = __torch__.h.id(x)\n", b"    y = (k).a\n",
    b"    k = __torch__.h.E.B\n", b"    y = isinstance(x, Tensor)\n",
    b"    y = unchecked_cast(__torch__.h.K, x)\n", b"    y = (y).relu()\n", b"    y = (k).sqrt()\n",
    b"    y = fork(__torch__.h.id, x)\n",
    b"    def f() -> Tensor:\n      return torch.sin(x)\n    y = torch.wait(fork(f))\n", b"    y = int(k)\n",
    b"    y = [y]\n", b"    y = getattr(self, \"0\")\n", b"    y = {1: x}\n", b"    y = annotate(Any, x)\n",
    b"    y = sorted([2, 1])\n", b"    a = y\n", b"    with k as y:\n      y = x\n", b"    y = torch.list(y)\n",
    b"    y = ops.prim.min([1, 2])\n", b"    y = uninitialized(Any)\n",
]  # fmt: skip


def _lines(data: bytes, random: Random) -> bytes:
    """Whole statements come, go and move: what comes out of it is often code that Torch still compiles."""
    lines = data.splitlines(keepends=True) or [b""]
    for _ in range(random.choice((1, 1, 2, 4))):
        at, other = random.randrange(len(lines)), random.randrange(len(lines))
        what = random.randrange(8)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(at, lines[other])
        elif what == 2:
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines.insert(at, random.choice(_LINES))
        lines = lines or [b""]
    return b"".join(lines)


def _code(data: bytes, random: Random) -> bytes:
    return _lines(data, random) if random.random() < 0.5 else _splice(data, random, _CODE)


def _with_words(words: Sequence[bytes]) -> Mutate:
    return lambda data, random: _splice(data, random, words)


def _bytes(data: bytes, random: Random) -> bytes:
    """Bytes of any format: numbers at their borders, parts that move."""
    changed = bytearray(data or b"\0")
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(changed))
        what = random.randrange(4)
        if what == 0:
            changed[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
        elif what == 1:
            width = random.choice((2, 4, 8))
            number = random.choice((0, 1, 0xFF, 0xFFFF, (1 << 31) - 1, (1 << 32) - 1, len(data)))
            changed[at : at + width] = (number & ((1 << (8 * width)) - 1)).to_bytes(width, "little")
        elif what == 2:
            del changed[at : at + random.choice((1, 2, 16))]
        else:
            start = random.randrange(len(changed))
            changed[at:at] = changed[start : start + random.choice((1, 4, 46))]
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def _archive(data: bytes, random: Random) -> bytes:
    """Now and then the zip's own bytes; else its members taken apart, one of them changed, and packed again."""
    if random.random() < 0.25:
        return _bytes(data, random)
    file = io.BytesIO(data)
    try:
        found = dict(read_contents(file, read_layout(file, len(data)).members))
    except NotAZip:
        return _bytes(data, random)
    if not found or len(data) > 1 << 18:
        return _bytes(data, random)
    entries = [
        Entry(member.raw_name, b"" if isinstance(content, MemberError) else content, member.method == 8)
        for member, content in found.items()
    ]
    chosen = random.choice([entry for entry in entries if entry.name.endswith(b".py")] * 4 + entries)
    return Layout(_changed(entries, chosen, random)).pack()


def _changed(entries: List[Entry], chosen: Entry, random: Random) -> List[Entry]:
    what = random.random()
    if what < 0.8:
        is_code = not chosen.name.endswith(b".pkl")
        chosen.content = _code(chosen.content, random) if is_code else _splice(chosen.content, random, _PICKLE)
    elif what < 0.86:
        chosen.name = _splice(chosen.name, random, [b"/", b"..", b"m", b"M", b"\0", b"\\", b"code", b"\xff", b".py"])
    elif what < 0.9:
        entries.insert(random.randrange(len(entries) + 1), Entry(chosen.name, chosen.content))
    elif what < 0.94:
        entries.remove(chosen)
    elif what < 0.96:
        chosen.deflated = not chosen.deflated
    elif what < 0.98:
        chosen.flags ^= 1 << random.randrange(16)
    else:
        random.shuffle(entries)
    return entries


MUTATORS: Dict[str, Mutate] = {
    "archive": _archive,
    "code": _code,
    "pickle": lambda data, random: _bytes(data, random) if random.random() < 0.3 else _splice(data, random, _PICKLE),
    "json": _with_words(_JSON),
    "text": _with_words(_TEXT),
}
