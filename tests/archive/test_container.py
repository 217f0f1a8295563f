"""The zip file: bounds, what is unsafe, what a file is that is no archive, and how little of it is read."""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
import zipfile
from typing import Any

import pytest

from audacitorch.archive import read_archive
from audacitorch.rules import all_rules
from tests.archive.zips import EMPTY_TUPLE, MODULE, packed, read


class Counted(io.BytesIO):
    """Counts reads and bytes."""

    reads = 0
    taken = 0

    def read(self, size: Any = -1) -> Any:
        data = super().read(size)
        self.reads += 1
        self.taken += len(data)
        return data


class Sparse(io.RawIOBase):
    """A file of ``hole`` zeros between a head and a tail, as a large model is one: weights that nobody should read."""

    def __init__(self, head: bytes, hole: int, tail: bytes) -> None:
        self.head, self.hole, self.tail = head, hole, tail
        self.size, self.at, self.taken = len(head) + hole + len(tail), 0, 0

    def seek(self, offset: Any, whence: int = 0) -> Any:
        self.at = offset
        return offset

    def read(self, size: Any = -1) -> Any:
        end = min(self.size, self.at + size)
        parts = b""
        while self.at < end:
            if self.at < len(self.head):
                part = self.head[self.at : end]
            elif self.at < len(self.head) + self.hole:
                part = bytes(min(end, len(self.head) + self.hole) - self.at)
            else:
                part = self.tail[self.at - len(self.head) - self.hole :][: end - self.at]
            parts += part
            self.at += len(part)
        self.taken += len(parts)
        return parts


@pytest.mark.parametrize(
    ("data", "kind", "detail"),
    [
        (b"", "empty", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "lfs-pointer", "LFS"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "torch-save", "before PyTorch 1.6"),
        (b"\x80\x04]q\0.", "pickle", "plain pickle"),
        (b"\x89HDF\r\n\x1a\n0000", "not-a-zip", "HDF5"),
        (b"<!DOCTYPE html><html>", "not-a-zip", "web page"),
        (b'{"a": 1}', "not-a-zip", "JSON"),
        (b"hello", "not-a-zip", "text"),
        (bytes(5000), "not-a-zip", "zeros"),
        (b"\x08\0\0\0\0\0\0\0{}      ", "not-a-zip", "safetensors"),
        (b"\x80", "not-a-zip", "not a zip"),
        (b"PK\5\6" + bytes(18), "zip-without-code", "without members"),
        (b"PK\3\4" + bytes(100), "cut-off", "no end record"),
    ],
)
def test_what_is_no_archive_is_named(data: Any, kind: str, detail: str) -> None:
    archive = read(data)
    assert (archive.kind, archive.size) == (kind, len(data))
    assert detail in archive.detail


def test_a_file_of_torch_save_and_a_foreign_zip_are_told_apart() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", EMPTY_TUPLE)
    assert read(file.getvalue()).kind == "torch-save"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert read(file.getvalue()).kind == "zip-without-code"


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_is_cut_is_cut_off(part: float) -> None:
    data = packed({"data/0": bytes(300_000)}, method=zipfile.ZIP_STORED)
    assert read(data[: int(len(data) * part)]).kind == "cut-off"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "c:\\x", "..\\x"])
def test_names_that_climb_out_are_unsafe(name: str) -> None:
    file = io.BytesIO(packed({}))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
    (sentence,) = read(file.getvalue()).unsafe
    assert "leads out of the archive" in sentence


def test_members_that_differ_by_case_are_duplicates() -> None:
    archive = read(packed({"code/__torch__.py": "", "CODE/__Torch__.PY": MODULE.format(body="torch.save(x, 'f')")}))
    assert any("loads as the same" in sentence for sentence in archive.unsafe)


def test_a_bomb_is_unsafe_and_is_not_unpacked() -> None:
    data = packed({"code/__torch__.py": bytes(40 << 20)})
    tracemalloc.start()
    archive = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any("unpacks to" in sentence for sentence in archive.unsafe)
    assert archive.code_problems[0].kind == "too-large"
    assert peak < 5 << 20


def test_a_member_that_lies_about_its_size_is_unreadable() -> None:
    data = bytearray(packed({"code/__torch__.py": bytes(100_000)}))
    at = data.rfind(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<L", 10)
    assert {problem.kind for problem in read(bytes(data)).code_problems} == {"damaged"}


def test_encrypted_odd_and_overlapping_members_are_unsafe() -> None:
    data = bytearray(packed({"code/a.py": "x", "code/b.py": "y"}))
    first = data.find(b"PK\1\2")
    data[first + 8] |= 1
    second = data.find(b"PK\1\2", first + 4)
    data[second + 10] = 14
    third = data.find(b"PK\1\2", second + 4)
    data[third + 42 : third + 46] = bytes(4)
    text = " ".join(read(bytes(data)).unsafe)
    assert "is encrypted" in text
    assert "method 14" in text
    assert "share bytes" in text


def test_a_directory_beyond_all_bounds_is_never_read() -> None:
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, 1 << 31, 0, 0)
    archive = read(b"PK\3\4" + bytes(100) + end)
    assert archive.kind == "ambiguous"
    assert archive.unsafe


def test_a_gigabyte_of_weights_is_never_read() -> None:
    data = packed({"code/__torch__.py": MODULE.format(body="y = torch.relu(x)"), "data/0": b"#" * 64})
    hole = 1 << 30
    at = data.find(b"PK\1\2")
    data = data[:at] + data[at:]
    end = data.rfind(b"PK\5\6")
    moved = data[:end] + struct.pack("<4s4H2LH", *struct.unpack("<4s4H2L", data[end : end + 20])[:6], at + hole, 0)
    file = Sparse(data[:at], hole, moved[at:])
    started = time.monotonic()
    archive = read_archive(file, file.size)  # type: ignore[arg-type]  # it reads and seeks, which is all that is asked of it
    assert time.monotonic() - started < 0.3
    assert file.taken < 1 << 20
    assert [call.operator for call in archive.calls] == ["aten::relu"]


def test_few_reads_take_all_that_is_needed() -> None:
    members = {f"code/__torch__/m{index}.py": "x : int\n" * 50 for index in range(200)}
    data = packed({**members, "data/0": random.Random(0).randbytes(1 << 20)}, method=zipfile.ZIP_STORED)
    file = Counted(data)
    archive = read_archive(file, len(data))
    assert archive.members == 204
    assert file.reads <= 8
    assert file.taken < 400_000


def test_errors_of_the_file_itself_go_through() -> None:
    class Broken(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        read_archive(Broken(b"x"), 1)


def test_damage_anywhere_never_raises() -> None:
    whole = packed({"code/__torch__.py": MODULE.format(body="y = torch.relu(x)"), "data.pkl": b"\x80\x02}q\0."})
    generator = random.Random(19)
    kinds = set()
    started = time.monotonic()
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(generator.choice((1, 1, 2, 8))):
            data[generator.randrange(len(data))] = generator.randrange(256)
        if generator.random() < 0.2:
            del data[generator.randrange(len(data)) :]
        kinds.add(read(bytes(data)).kind)
    assert {"torchscript", "cut-off", "unreadable"} <= kinds
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", ["constants.pkl", "data.pkl"])
def test_a_member_that_torch_must_find_is_missed(name: str) -> None:
    data = packed({"code/__torch__.py": MODULE.format(body="y = torch.relu(x)")})
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(file, "w") as part:
        for member in whole.infolist():
            if not member.filename.endswith(name):
                part.writestr(member, whole.read(member))
    archive = read(file.getvalue())
    assert (archive.kind, archive.detail) == ("torchscript", f"it has no member {name!r}")
    assert [problem.message for problem in all_rules()["not-torchscript"].check(archive)] == [
        f"model.pt is an incomplete TorchScript archive: it has no member {name!r}."
    ]
