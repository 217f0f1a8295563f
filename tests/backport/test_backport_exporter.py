"""Which PyTorch wrote an archive: what shows it, what does not, and what becomes of the archive then."""

from __future__ import annotations

import json
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from audacitorch.backport import backport
from audacitorch.backport.exporter import Exporter, UnknownVersion, is_newer, of_version
from audacitorch.cli import main
from tests.archive.zips import MODULE, packed

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "backport"
UNBATCHED = MODULE.format(body="y = torch.avg_pool1d(x, [2])")


@pytest.mark.parametrize("way", ["scripted", "traced"])
def test_lines_of_pytorch_itself_show_a_later_version(tmp_path: Path, way: str) -> None:
    result = backport(DATA / f"unbatched-1.10-{way}.pt", tmp_path / "out.pt")
    assert (result.changed, result.doubtful, result.differences) == (True, (), ())
    assert any("a function that does what newer versions do" in what for what in result.done)


def test_an_archive_that_shows_nothing_is_one_of_1_9_and_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.pt").write_bytes(packed({"code/__torch__.py": UNBATCHED}))
    words = ["backport", str(tmp_path / "model.pt"), "--no-check", "--force", "-o", str(tmp_path / "out.pt")]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "There is nothing to do" in told
    assert "add --exported-by VERSION, as these do more there: aten::avg_pool1d." in told
    assert main([*words, "--exported-by", "1.9.0"]) == 0
    assert "--exported-by" not in capsys.readouterr().out
    assert main([*words, "--exported-by", "1.12.1+cpu"]) == 0
    assert "aten::avg_pool1d: a function" in capsys.readouterr().out
    assert main([*words, "--exported-by", "newest"]) == 2


@pytest.mark.parametrize(("version", "changed"), [("1.9.1", False), ("1.10.2", False), ("1.13.1", True)])
def test_what_changed_in_1_13_is_not_changed_for_earlier_exporters(tmp_path: Path, version: str, changed: bool) -> None:
    code = MODULE.format(body="y = torch.signbit(x)")
    (tmp_path / "model.pt").write_bytes(packed({"code/__torch__.py": code}))
    assert backport(tmp_path / "model.pt", tmp_path / "out.pt", exported_by=version).changed == changed


def test_an_operator_that_nobody_knows_shows_nothing(tmp_path: Path) -> None:
    code = MODULE.format(body="y = torch.avg_pool1d(ops.own.f(x), [2])")
    (tmp_path / "model.pt").write_bytes(packed({"code/__torch__.py": code}))
    assert not backport(tmp_path / "model.pt", tmp_path / "out.pt").changed


@pytest.mark.parametrize(
    ("version", "exporter"),
    [
        ("1.9.0", Exporter(False, False)),
        ("1.10", Exporter(True, False, early=True)),
        ("1.12.1", Exporter(True, False)),
        ("1.13.1", Exporter(True, True)),
        ("2.13.0a0+git1234", Exporter(True, True)),
    ],
)
def test_a_version_is_read(version: str, exporter: Exporter) -> None:
    assert of_version(version) == exporter


@pytest.mark.parametrize("version", ["", "two", "2", "1.x"])
def test_what_is_not_a_version_is_refused(version: str) -> None:
    with pytest.raises(UnknownVersion, match="not a version"):
        of_version(version)


def test_debug_members_without_anything_of_pytorch_show_nothing() -> None:
    assert is_newer([]) is None
    assert is_newer([b"no pickle", b"\x80\x02)."]) is None


@pytest.mark.torch
def test_archives_of_1_9_0_show_that_they_are(tmp_path: Path) -> None:
    import torch

    class Pool(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.AvgPool1d(2), torch.nn.Conv1d(2, 2, 1), torch.nn.GroupNorm(1, 2))

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.layers(x)

    model = Pool().eval()
    for made in (torch.jit.script(model), torch.jit.trace(model, torch.ones(1, 2, 8))):
        torch.jit.save(made, str(tmp_path / "model.pt"))
        result = backport(tmp_path / "model.pt", tmp_path / "out.pt", force=True)
        assert (result.changed, result.doubtful, result.differences) == (False, (), ())


@pytest.mark.torch
def test_the_lines_are_those_of_1_9_0() -> None:
    """``scripts/make-torch-lines`` makes them so; older versions have lines besides."""
    import torch

    path = ROOT / "scripts" / "make-torch-lines"
    script: Any = SourceFileLoader("make_torch_lines", str(path)).load_module()
    data = json.loads((ROOT / "audacitorch" / "data" / "torch-1.9.0-lines.json").read_text(encoding="utf-8"))
    for file, begins in script.lines_of([Path(torch.__file__).parent]).items():
        for line, sums in begins.items():
            assert set(sums) <= set(data[file][line])
