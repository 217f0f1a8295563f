"""What reads strangers' bytes takes time in proportion to them: repeated atoms of every kind, at 65 kB and at 2 MiB.

Work is counted by the processor's time of one process, and asserted as a ratio of two sizes, not as seconds: 32 times
as many bytes may take 32 times as long, with room for what the machine does besides; a quadratic reader takes 1,000.
"""

from __future__ import annotations

import io
import time
import zipfile
from contextlib import suppress
from dataclasses import replace
from typing import Callable, Dict

import pytest

from audacitorch.archive import read_archive
from audacitorch.archive.pickles import Unreadable, describe
from audacitorch.archive.sniff import sniff
from audacitorch.findings import Finding
from audacitorch.hosts import HOSTS
from audacitorch.repo.jsontext import parse
from audacitorch.repo.metadata_file import read_metadata
from audacitorch.repo.readme import read_card
from audacitorch.repo.violations import violations
from audacitorch.report.formats import FORMATS, render
from audacitorch.report.model import Report
from tests.archive.zips import MODULE, packed
from tests.report import samples

pytestmark = pytest.mark.slow

SMALL, LARGE = 65_536, 2 << 20
MOST = 4 * LARGE / SMALL
#: Below this a measurement is noise, and nothing that anybody waits for.
LEAST_SECONDS = 0.02

# fmt: off
CODE_ATOMS = [
    "x+",
    "0,",
    "f(x,",
    "a ",
    "\n    ",
    "\n",
    '"a",',
    '"',
    '\\"',
    '"\\\\',
    "(",
    ")",
    "[0]",
    ".a",
    " ",
    "#",
    "-",
]
CODE_ATOMS += [
    "torch.f(x),",
    "y = torch.f(x)\n    ",
    "if bool(x):\n      pass\n    else:\n      pass\n    ",
    "\0",
    "é",
    "e9",
]
CODE_ATOMS += [
    "def f() -> int:\n  return 1\n",
    "class A(Module):\n  a : int\n",
    "yield = x\n    ",
    "save ",
    "getattr",
    "'",
]
PICKLE_ATOMS = [
    b"(",
    b"]",
    b"}",
    b"(t",
    b"(l.",
    b"K\0",
    b"c__torch__\nA\n",
    b")R",
    b"X\1\0\0\0a",
    b"q\0",
    b"h\0",
    b"N\x85",
]
PICKLE_ATOMS += [
    b"]q\0h\0a", b"(K\0u", b"\x80\x02", b"\n", b"\xff", b"Q", b"b", b"0",
]
TEXT_ATOMS = [
    "[",
    "]",
    "{",
    "}",
    '{"a":',
    '"a":1,',
    "1,",
    "1",
    "-",
    ".",
    "e",
    '"',
    "\\",
    '"\\',
    "\\u12",
    "\n",
    " ",
    "\t",
]
TEXT_ATOMS += [
    "# ",
    "a: b\n",
    "- a\n",
    "&a ",
    "*a ",
    "---\n",
    "!!python ",
    "<",
    "é",
    "\0",
    "\r",
    "|",
    "'",
    "? ",
    "\ufeff",
]
# fmt: on


def _code(atom: str, size: int) -> bytes:
    return packed({"code/__torch__.py": MODULE.format(body=f"y = [{atom * (size // len(atom.encode()))}]")}, method=0)


def _members(atom: str, size: int) -> bytes:
    """As many members as ``size`` bytes hold."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(min(size // 130, 60_000)):
            archive.writestr(f"m/{atom}{number}", b"")
    return file.getvalue()


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _assert_linear(name: str, work: Callable[[int], Callable[[], object]]) -> None:
    small, large = work(SMALL), work(LARGE)
    least = min(_seconds(small) for _ in range(3))
    took = _seconds(large)
    assert took <= MOST * max(least, LEAST_SECONDS), f"{name}: {least:.4f} s at 65 kB, {took:.4f} s at 2 MiB"


def _read(data: bytes) -> Callable[[], object]:
    return lambda: read_archive(io.BytesIO(data), len(data))


def _described(data: bytes) -> Callable[[], object]:
    def work() -> None:
        with suppress(Unreadable):
            describe(data)

    return work


@pytest.mark.parametrize("atom", CODE_ATOMS)
def test_code_is_read_in_linear_time(atom: str) -> None:
    _assert_linear(ascii(atom), lambda size: _read(_code(atom, size)))


@pytest.mark.parametrize("atom", ["data/", "code/__torch__/m", "A", "../", "é"])
def test_directories_are_read_in_linear_time(atom: str) -> None:
    _assert_linear(ascii(atom), lambda size: _read(_members(atom, size)))


@pytest.mark.parametrize("atom", [b"PK\5\6", b"PK\1\2", b"PK\3\4", b"PK\6\7", b"\0", b"PK", b"{", b"<"])
def test_what_is_no_archive_is_told_in_linear_time(atom: bytes) -> None:
    for before in (b"", b"PK\3\4"):
        _assert_linear(ascii(atom), lambda size: _read(before + atom * (size // len(atom))))  # noqa: B023
        _assert_linear(ascii(atom), lambda size: lambda: sniff(before + atom * (size // len(atom))))  # noqa: B023


@pytest.mark.parametrize("atom", PICKLE_ATOMS)
def test_pickles_are_read_in_linear_time(atom: bytes) -> None:
    for end in (b".", b""):
        _assert_linear(ascii(atom), lambda size: _described(b"\x80\x02]q\0" + atom * (size // len(atom)) + end))  # noqa: B023


TEXT_READERS: Dict[str, Callable[[bytes], object]] = {
    "metadata": read_metadata,
    "json": lambda data: parse(data.decode("utf-8", "replace")),
    "card": read_card,
    "front matter": lambda data: read_card(b"---\n" + data + b"\n---\n"),
    "front matter list": lambda data: read_card(b"---\ntags: [" + data + b"]\n---\n"),
}


@pytest.mark.parametrize("reader", TEXT_READERS)
@pytest.mark.parametrize("atom", TEXT_ATOMS)
def test_cards_are_read_in_linear_time(reader: str, atom: str) -> None:
    def work(size: int) -> Callable[[], object]:
        data = atom.encode() * (size // len(atom.encode()))

        def run() -> None:
            with suppress(ValueError):
                TEXT_READERS[reader](data)

        return run

    _assert_linear(f"{reader} {atom!a}", work)


#: What each format escapes, and what its escapes are made of.
RENDERED_ATOMS = ["<", "&a ", "|", "`", "[a](", "- a\n", "\0", "@a ", "::", "%0A"]


@pytest.mark.parametrize("atom", RENDERED_ATOMS)
@pytest.mark.parametrize("name", FORMATS)
def test_reports_are_rendered_in_linear_time(name: str, atom: str) -> None:
    """What a stranger wrote stands in a message, a hint, the details and the target's name."""
    _assert_linear(f"{name} {atom!a}", lambda size: lambda: render(_report(atom * (size // len(atom.encode()))), name))


@pytest.mark.parametrize("atom", [*TEXT_ATOMS, "a", "music "])
def test_metadata_is_judged_in_linear_time(atom: str) -> None:
    def work(size: int) -> Callable[[], object]:
        text = atom * (size // len(atom.encode()))
        items = [atom] * (size // 8)
        fields = {"short_description": text, "tags": items, "labels": items, "domains": items, text: text}
        return lambda: [list(violations(fields, host)) for host in HOSTS]

    _assert_linear(repr(atom), work)


def _report(text: str) -> Report:
    finding = Finding("metadata-value", "error", HOSTS, text, text, "metadata.json", 3, {"value": text})
    plain = samples.effect()
    return replace(plain, target=replace(plain.target, id=text), findings=(finding,))
