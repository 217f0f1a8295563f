"""Torch is asked what it compiled: what the archive's reader did not see keeps a model from running (hidden-code)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Tuple

import pytest

torch = pytest.importorskip("torch")

from audacitorch.archive import forbidden, read_archive  # noqa: E402
from audacitorch.check import Options, check  # noqa: E402
from audacitorch.repo.model_repo import FolderRepo  # noqa: E402
from audacitorch.report.model import Report  # noqa: E402
from audacitorch.trial.compiled import IMPLIED, count_operators, follows_input, is_implied, load  # noqa: E402
from audacitorch.trial.starters import torch_python, worker_starter  # noqa: E402
from tests.repos_make import modules as made  # noqa: E402
from tests.test_repos import NAMES, copy_of, expect  # noqa: E402

from . import modules  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here"),
]


def blinded(monkeypatch: pytest.MonkeyPatch, operators: Tuple[str, ...]) -> None:
    """A reader that does not see some operators, as if an archive hid them from it."""
    import audacitorch.archive as archive

    read = archive.read_archive

    def blind(*arguments: Any, **more: Any) -> Any:
        from dataclasses import replace

        facts = read(*arguments, **more)
        return replace(facts, calls=tuple(call for call in facts.calls if call.operator not in operators))

    monkeypatch.setattr(archive, "read_archive", blind)


def checked(name: str, tmp_path: Path) -> Report:
    return check(
        FolderRepo(copy_of(name, tmp_path)), Options(timeout_seconds=60.0), worker_starter("process", many=True)
    )


@pytest.mark.parametrize(
    ("name", "operator"),
    [("writes-in-forward", "aten::save"), ("writes-in-setstate", "aten::save"), ("reads-a-file", "aten::from_file")],
)
def test_file_access_is_found_on_torchs_own_list(
    name: str, operator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blinded(monkeypatch, (operator,))
    report = checked(name, tmp_path)
    found = {finding.rule: finding.message for finding in report.findings}
    assert {"hidden-code", "file-access"} <= set(found)
    assert operator in found["hidden-code"]
    assert report.exit_status == 1
    shown = report.to_json()["trial"]
    assert (shown["ended"], shown["passes"], shown["hidden_operators"]) == ("refused", [], [operator])


def test_an_operator_that_only_computes_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blinded(monkeypatch, ("aten::conv1d",))
    report = checked("fails-on-stereo", tmp_path)
    assert [finding.rule for finding in report.findings] == ["hidden-code"]


def test_what_syntax_compiles_to_hides_nothing(tmp_path: Path) -> None:
    saved = io.BytesIO()
    torch.jit.save(torch.jit.script(modules.Syntax().eval()), saved)
    path = tmp_path / "model.pt"
    path.write_bytes(saved.getvalue())
    _, unit = load(str(path))
    calls, functions = count_operators(unit)
    seen = {call.operator for call in read_archive(io.BytesIO(saved.getvalue()), len(saved.getvalue())).calls}
    assert functions >= 1
    assert [name for name in calls if name not in seen and not is_implied(name)] == []


def test_no_good_repo_hides_anything(tmp_path: Path) -> None:
    tried = 0
    for name in NAMES:
        if not [finding for finding in expect(name)["findings"] if finding["severity"] == "error"]:
            model = copy_of(name, tmp_path) / "model.pt"
            _, unit = load(str(model))
            seen = {call.operator for call in read_archive(model.open("rb"), model.stat().st_size).calls}
            assert [one for one in count_operators(unit)[0] if one not in seen and not is_implied(one)] == [], name
            tried += 1
    assert tried > 20


def test_what_is_implied_exists_and_reaches_nothing() -> None:

    known = {schema.name for schema in torch._C._jit_get_all_schemas()}
    compiler_only = {"aten::__range_length", "aten::__derive_index"}
    assert IMPLIED - compiler_only <= known
    reaching = set(forbidden.REACHES_OUT)
    assert not reaching & IMPLIED
    assert not [name for name in reaching if is_implied(name)]


@pytest.mark.parametrize(
    ("module", "follows"),
    [
        (modules.Booster(), True),
        (modules.WorksInPlace(), True),
        (made.FrozenSound(), False),
        (made.FrozenLabeler(torch.eye(2), torch.eye(2)), False),
        (made.Labeler(torch.eye(2), torch.eye(2)), True),
        (modules.Syntax(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whether_results_follow_the_input_is_read_from_the_graph(module: Any, follows: bool, tmp_path: Path) -> None:
    torch.jit.script(module.eval()).save(str(tmp_path / "model.pt"))
    assert follows_input(load(str(tmp_path / "model.pt"))[0]) is follows


def test_the_report_names_what_torch_compiled(tmp_path: Path) -> None:
    told = json.loads(json.dumps(checked("good-effect", tmp_path).to_json()))["trial"]
    assert told["operators"]["aten::mul"] == 1
    assert told["hidden_operators"] == []
