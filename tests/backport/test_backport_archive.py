"""From file to file: what is kept, what is left out, what is refused, and that a failure leaves nothing behind."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest

from audacitorch.archive.layout import read_layout
from audacitorch.backport import backport
from audacitorch.cli import main
from tests.archive.zips import MODULE, packed, read

PADS = MODULE.format(body="y = torch.pad(x, [1, 2])")
PLAIN = MODULE.format(body="y = torch.relu(x)")
WEIGHTS = bytes(range(256)) * 40
REPOS = Path(__file__).parents[1] / "repos"


def model_of(tmp_path: Path, code: str = PADS, **members: Any) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(packed({"code/__torch__.py": code, **members}))
    return path


def run(*words: object) -> int:
    return main(["backport", *map(str, words), "--no-check"])


def contents(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_members_are_kept_byte_for_byte_and_begin_at_multiples_of_64(tmp_path: Path) -> None:
    members: Dict[str, Any] = {"data/0": WEIGHTS, "data/11": b"x", "extra/ü.txt": "ü", "code/__torch__.py": PADS}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        source, output = tmp_path / f"{method}.pt", tmp_path / f"{method}-out.pt"
        source.write_bytes(packed(members, method=method))
        assert run(source, "-o", output) == 0
        before, after = contents(source), contents(output)
        added = set(after) - set(before)
        assert added == {"model/code/__torch__/audacitorch_backport.py"}
        assert {name for name in before if before[name] != after[name]} == {"model/code/__torch__.py"}
        assert next(iter(after)).startswith("model/")
        data = output.read_bytes()
        for member in read_layout(io.BytesIO(data), len(data)).members:
            name_length, extra_length = struct.unpack_from("<2H", data, member.offset + 26)
            assert (member.offset + 30 + name_length + extra_length) % 64 == 0


def test_the_result_is_the_same_every_time_and_needs_no_second_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, first, second, again = (tmp_path / name for name in ("model.pt", "1.pt", "2.pt", "3.pt"))
    model_of(tmp_path)
    assert (run(source, "-o", first), run(source, "-o", second), run(first, "-o", again)) == (0, 0, 0)
    assert first.read_bytes() == second.read_bytes() == again.read_bytes()
    assert "There is nothing to do" in capsys.readouterr().out


def test_nothing_to_do_leaves_a_copy_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = model_of(tmp_path, PLAIN, **{"code/__torch__.py.debug_pkl": b"older", "byteorder": b"little"})
    assert run(source, "-o", tmp_path / "out.pt") == 0
    assert (tmp_path / "out.pt").read_bytes() == source.read_bytes()
    assert "There is nothing to do" in capsys.readouterr().out


def test_what_was_done_is_told_with_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = 'ops.prim.RaiseException("a", "b")\n    ops.prim.RaiseException("a", "c")\n    y = torch.mT(x)'
    assert run(model_of(tmp_path, MODULE.format(body=body), version="10\n"), "-o", tmp_path / "out.pt") == 0
    told = capsys.readouterr().out
    assert "2 × prim::RaiseException: without cls" in told
    assert "1 × aten::mT: a function" in told
    assert "format 10: format 6" in told


@pytest.mark.parametrize(
    "name", ["newer-export-aborts-at-pad", "newer-export-aborts-at-raise", "newer-export-that-works"]
)
def test_debug_members_of_a_newer_torch_are_left_out(name: str, tmp_path: Path) -> None:
    source, output = REPOS / name / "model.pt", tmp_path / "out.pt"
    assert any(member.endswith(".debug_pkl") for member in contents(source))
    assert run(source, "-o", output) == 0
    assert not any(member.endswith((".debug_pkl", "byteorder", "serialization_id")) for member in contents(output))


@pytest.mark.parametrize(
    ("format_version", "written", "status"), [(3, 3, 0), (6, 6, 0), (7, 6, 0), (10, 6, 0), (11, 11, 1)]
)
def test_the_format_is_lowered_where_its_meaning_is_known(
    format_version: int, written: int, status: int, tmp_path: Path
) -> None:
    members = {".data/version": f"{format_version}\n", "version": f"{format_version}\n"}
    output = tmp_path / "out.pt"
    assert run(model_of(tmp_path, **members), "-o", output) == status
    assert read(output.read_bytes()).format_version == written
    assert {contents(output)[f"model/{name}"] for name in members} == {f"{written}\n".encode()}


def test_what_stays_incompatible_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = "y = torch.pad(x, [1])\n    z = torch.brand_new(x)\n    w = ops.torchaudio._lfilter(x)"
    body += "\n    v = torch.quantile(x, 0.5, interpolation=0)"
    assert run(model_of(tmp_path, MODULE.format(body=body)), "-o", tmp_path / "out.pt") == 1
    told = capsys.readouterr().out
    assert "can't take this (3)" in told
    assert "audacitorch backport" not in told
    assert "unknown-operator: code/__torch__.py:9: Torch 1.9.0 has no operator aten::brand_new" in told
    assert "custom-operator" in told
    assert "aten::pad" not in told.partition("can't take this")[2]


def test_tensors_of_the_other_byte_order_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model_of(tmp_path, byteorder=b"big"), "-o", tmp_path / "out.pt") == 1
    assert "byte-order" in capsys.readouterr().out


def test_a_name_that_the_archive_has_is_not_taken(tmp_path: Path) -> None:
    taken = "def pad(x: Tensor) -> Tensor:\n  return x\n"
    source = model_of(tmp_path, **{"code/__torch__/Audacitorch_backport.py": taken})
    assert run(source, "-o", tmp_path / "out.pt") == 0
    after = contents(tmp_path / "out.pt")
    assert after["model/code/__torch__/Audacitorch_backport.py"].decode() == taken
    assert "def pad(" in after["model/code/__torch__/audacitorch_backport_1.py"].decode()
    assert "__torch__.audacitorch_backport_1.pad(x" in after["model/code/__torch__.py"].decode()


def test_what_is_refused_is_exit_status_2_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = model_of(tmp_path)
    twice = io.BytesIO(good.read_bytes())
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("model/version", "6")
    folder = tmp_path / "in"
    folder.mkdir()
    damaged = bytearray(packed({"code/__torch__.py": PADS, "data/0": WEIGHTS}, method=zipfile.ZIP_STORED))
    damaged[damaged.index(WEIGHTS) + 5] ^= 1
    hostile = {
        "empty.pt": b"",
        "cut.pt": good.read_bytes()[:-30],
        "text.pt": b"hello",
        "pointer.pt": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "twice.pt": twice.getvalue(),
        "climbs.pt": packed({"code/__torch__.py": PADS, "../../x": "x"}),
        "damaged.pt": bytes(damaged),
        "not-torchscript.pt": packed({}, top="x/").replace(b"constants", b"constantz"),
    }
    for name, data in hostile.items():
        (folder / name).write_bytes(data)
        assert (name, run(folder / name, "-o", tmp_path / "out" / name)) == (name, 2)  # no such folder
        assert (name, run(folder / name, "-o", tmp_path / f"out-{name}")) == (name, 2)
    assert run(folder / "missing.pt", "-o", tmp_path / "out.pt") == 2
    assert run(folder, "-o", tmp_path / "out.pt") == 2
    assert run(good, "-o", folder) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "model.pt"]
    assert "Traceback" not in capsys.readouterr().err


def test_the_output_is_never_the_model_and_overwrites_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, output = model_of(tmp_path), tmp_path / "out.pt"
    before = model.read_bytes()
    os.link(model, tmp_path / "hard.pt")
    os.symlink(model, tmp_path / "soft.pt")
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling.pt")
    for same in ("model.pt", "hard.pt", "soft.pt"):
        assert run(model, "-o", tmp_path / same, "--force") == 2
    assert run(model, "-o", tmp_path / "dangling.pt") == 2
    output.write_bytes(b"precious")
    assert (run(model, "-o", output), output.read_bytes()) == (2, b"precious")
    assert "--force" in capsys.readouterr().err
    assert run(model, "-o", output, "--force") == 0
    assert (model.read_bytes(), output.read_bytes() == b"precious") == (before, False)


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert run(tmp_path / "pipe", "-o", tmp_path / "out.pt") == 2


def test_nothing_of_a_strangers_names_is_printed_raw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "code/__torch__/\x1b[31m\n::error::.py"
    source = model_of(tmp_path, **{name: "def f(x: Tensor) -> Tensor:\n  return torch.nope(x)\n"})
    assert run(source, "-o", tmp_path / "\x1b[31m\n::error::.pt") == 2
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert not any(line.startswith("::") for line in told.splitlines())


def test_a_large_archive_takes_no_memory_of_its_size(tmp_path: Path) -> None:
    source = tmp_path / "model.pt"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("model/code/__torch__.py", PADS)
        archive.writestr("model/constants.pkl", b"\x80\x02).")
        archive.writestr("model/version", "6\n")
        with archive.open("model/data/0", "w") as member:
            for _ in range(96):
                member.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        result = backport(source, tmp_path / "out.pt")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.changed
    assert peak < 24 << 20
    with zipfile.ZipFile(tmp_path / "out.pt") as archive:
        assert archive.getinfo("model/data/0").file_size == 96 << 20
        assert archive.testzip() is None
