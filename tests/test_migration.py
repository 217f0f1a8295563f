"""What worked with audacitorch 0.0.4 works here, and what 0.0.4 refused is refused (MIGRATING.md)."""

from __future__ import annotations

import json
import pydoc
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import pytest

import audacitorch

pytestmark = pytest.mark.torch

METADATA = {
    "sample_rate": 48000,
    "domain_tags": ["music", "speech", "environmental"],
    "short_description": "Use me to boost volume by 3dB :).",
    "long_description": "This description can be a max of 280 characters aaaaaaaaaaaaaaaaaaaa.",
    "tags": ["volume boost"],
    "labels": ["boosted"],
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
}


def in_a_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_star_import_gives_what_it_gave() -> None:
    code = (
        "from audacitorch import *\n"
        "print(AudacityModel.__name__, WaveformToLabelsBase.__name__, WaveformToWaveformBase.__name__,"
        " Tuple, nn.Module.__name__, torch.__name__, utils.save_model.__name__)"
    )
    assert in_a_fresh_process(code) == (
        "AudacityModel WaveformToLabelsBase WaveformToWaveformBase typing.Tuple Module torch save_model"
    )


def test_a_star_import_of_utils_gives_what_it_gave() -> None:
    code = (
        "from audacitorch.utils import *\n"
        "print(AudacityModel.__name__, Path.__name__, Tuple, json.__name__, random.__name__, torch.__name__,"
        " get_example_inputs.__name__, load_schema.__name__, save_model.__name__, test_run.__name__,"
        " validate_metadata.__name__)"
    )
    assert in_a_fresh_process(code) == (
        "AudacityModel Path typing.Tuple json random torch get_example_inputs load_schema save_model test_run"
        " validate_metadata"
    )


def test_submodules_are_there_after_importing_the_package() -> None:
    code = "import audacitorch; print(audacitorch.utils.test_run.__name__, audacitorch.core.AudacityModel.__name__)"
    assert in_a_fresh_process(code) == "test_run AudacityModel"


def test_importing_the_package_still_imports_no_torch() -> None:
    assert in_a_fresh_process("import audacitorch, sys; print('torch' in sys.modules)") == "False"


def test_dir_and_help_show_the_classes() -> None:
    assert {"AudacityModel", "WaveformToWaveformBase", "WaveformToLabelsBase", "utils"} <= set(dir(audacitorch))
    text = pydoc.plain(pydoc.render_doc(audacitorch))
    assert "class WaveformToLabelsBase(" in text
    assert "class WaveformToWaveformBase(" in text


def test_both_base_classes_are_audacity_models() -> None:
    from audacitorch import AudacityModel, WaveformToLabelsBase, WaveformToWaveformBase

    assert issubclass(WaveformToWaveformBase, AudacityModel)
    assert issubclass(WaveformToLabelsBase, AudacityModel)


def booster() -> Any:
    import torch

    from audacitorch import WaveformToWaveformBase

    class Booster(WaveformToWaveformBase):
        def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    return torch.jit.script(Booster(torch.nn.Identity()))


def test_save_model_takes_the_old_keywords(tmp_path: Path) -> None:
    from audacitorch.utils import save_model

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_model(model=booster(), metadata=METADATA, root_dir=tmp_path / "booster-net")
    assert sorted(path.name for path in (tmp_path / "booster-net").iterdir()) == ["metadata.json", "model.pt"]


def test_load_schema_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import jsonschema

    from audacitorch.utils import load_schema

    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    schema = load_schema()
    jsonschema.validate(METADATA, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**METADATA, "domain_tags": ["drums"]}, schema)
    schema.clear()
    assert load_schema() != {}


@pytest.mark.parametrize(
    ("starts_and_ends", "message"),
    [([[0.5, 0.25]], "does not start before it ends"), ([[0.5, 0.5]], "does not start"), ([[-0.5, 0.5]], "below 0")],
)
def test_a_test_run_refuses_stamps_that_0_0_4_refused(starts_and_ends: Any, message: str) -> None:
    import torch

    from audacitorch.utils import test_run as try_model

    def labeler(x: torch.Tensor) -> Any:
        return torch.zeros(1, dtype=torch.int64), torch.tensor(starts_and_ends)

    with pytest.raises(ValueError, match=message):
        try_model(labeler)  # type: ignore[arg-type]


def test_a_test_run_refuses_more_channels_than_samples() -> None:
    import torch

    from audacitorch.utils import test_run as try_model

    with pytest.raises(ValueError, match="more channels than samples"):
        try_model(lambda x: x.t())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape"):
        try_model(lambda x: torch.zeros(3))  # type: ignore[arg-type]


def test_what_only_the_alphas_refuse_is_said_when_saving(tmp_path: Path) -> None:
    from audacitorch.utils import save_model

    with pytest.warns(UserWarning, match="audacity-3.2-alpha: .*390000"):
        save_model(booster(), {**METADATA, "sample_rate": 390_000}, tmp_path)


def test_a_file_that_can_not_be_loaded_again_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from audacitorch.utils import save_model

    save = torch.jit.save
    monkeypatch.setattr(torch.jit, "save", lambda model, path: (save(model, path), Path(path).write_bytes(b"PK")))
    with pytest.raises(ValueError, match="can't be loaded again"):
        save_model(booster(), METADATA, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_computes_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from audacitorch.utils import save_model

    save = torch.jit.save
    other = torch.jit.script(torch.nn.Identity())
    monkeypatch.setattr(torch.jit, "save", lambda model, path: save(other, path))
    with pytest.raises(ValueError, match="computes something else"):
        save_model(booster(), METADATA, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_the_backport_made_wrong_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from audacitorch.utils import save_model

    def wrong(source: Path, target: Path, **_: Any) -> Any:
        torch.jit.save(torch.jit.script(torch.nn.Identity()), str(target))
        return types.SimpleNamespace(remaining=[], differences=[])

    monkeypatch.setattr("audacitorch.backport.backport", wrong)
    with pytest.raises(ValueError, match=r"rewritten for Torch 1\.9\.0 computes something else"):
        save_model(booster(), METADATA, tmp_path, backport=True)
    assert list(tmp_path.iterdir()) == []


def test_modules_that_are_not_serialized_are_refused(tmp_path: Path) -> None:
    import torch

    from audacitorch.utils import save_model

    for model in (torch.nn.Identity(), lambda x: x, types.SimpleNamespace(), None):
        with pytest.raises(TypeError, match="not a ScriptModule"):
            save_model(model, METADATA, tmp_path)


def test_a_random_model_is_saved(tmp_path: Path) -> None:
    import torch

    from audacitorch import WaveformToWaveformBase
    from audacitorch.utils import save_model

    class Noise(WaveformToWaveformBase):
        def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
            return torch.rand_like(x)

    save_model(torch.jit.script(Noise(torch.nn.Identity())), METADATA, tmp_path)
    assert json.loads((tmp_path / "metadata.json").read_text())["domains"] == METADATA["domain_tags"]
