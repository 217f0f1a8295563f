"""The specification's functions, and the specification's own example, run as it is written."""

import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from audacitorch.utils import validate_metadata

SPECIFICATION = Path(__file__).parents[1] / "docs" / "specification.md"

METADATA = {
    "sample_rate": 48000,
    "domain_tags": ["music", "speech", "environmental"],
    "short_description": "Use me to boost volume by 3dB :).",
    "long_description": "é" * 280,
    "tags": ["volume boost"],
    "labels": ["boosted"],
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
}

needs_torch = pytest.mark.torch


def changed(**fields: Any) -> Any:
    return {key: value for key, value in {**METADATA, **fields}.items() if value is not ...}


def test_the_specifications_own_metadata_is_valid() -> None:
    assert validate_metadata(METADATA) == (True, "metadata is valid")
    assert validate_metadata(changed(domain_tags=..., domains=["music"])) == (True, "metadata is valid")
    assert validate_metadata(changed(tags=("volume boost",)))[0]


def test_invalid_metadata_is_refused_with_every_problem() -> None:
    valid, message = validate_metadata(changed(labels=..., sample_rate="48000", tags=["x" * 16] * 6))
    assert not valid
    assert "`labels` is missing" in message
    assert "`sample_rate` must be an integer" in message
    assert "`tags` has 6 entries" in message


def test_what_only_the_alphas_refuse_is_a_remark() -> None:
    valid, message = validate_metadata(changed(sample_rate=390_000))
    assert valid
    assert "audacity-3.2-alpha: `sample_rate` must be above 0 and at most 384000, not 390000" in message


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "metadata is a NoneType, expected a dict of fields"),
        ([METADATA], "metadata is a list"),
        (changed(labels={"a"}), "JSON can't represent"),
        (changed(sample_rate=float("nan")), "JSON can't represent"),
        (changed(labels=["\ud800"]), "half of a surrogate pair"),
        (changed(domain_tags=...), "Neither `domains` nor `domain_tags` is there"),
        (changed(domain_tags=None), "`domain_tags` must be a list, not null"),
        (changed(domain_tags=[["music"]]), "`domain_tags[0]` must be a string"),
        (changed(multichannel=0), "`multichannel` must be true or false, not 0"),
        ({}, "`multichannel` is missing"),
    ],
)
def test_whatever_is_passed_gets_an_answer(metadata: Any, message: str) -> None:
    valid, answer = validate_metadata(metadata)
    assert not valid
    assert message in answer


def test_metadata_that_holds_itself_gets_an_answer() -> None:
    metadata = changed()
    metadata["tags"] = [metadata]
    assert validate_metadata(metadata)[0] is False


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture
def model(torch: Any) -> Any:
    class Doubler(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    return torch.jit.trace(Doubler(), torch.zeros(1, 10))


@needs_torch
def test_the_specifications_volume_example_runs_as_written(
    torch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", SPECIFICATION.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    script = tmp_path / "example.py"  # torch.jit.script reads the source of classes from a file
    script.write_text("\n".join(blocks), "utf-8")
    exec(compile(script.read_text("utf-8"), str(script), "exec"), {"__name__": "example"})
    assert sorted(os.listdir(tmp_path / "booster-net")) == ["metadata.json", "model.pt"]
    x = torch.rand(1, 5)
    assert torch.equal(torch.jit.load("booster-net/model.pt")(x), x * 2)
    assert json.loads(Path("booster-net/metadata.json").read_text("utf-8"))["domains"] == METADATA["domain_tags"]


@needs_torch
@pytest.mark.filterwarnings("ignore:Saved with Torch")
def test_save_model_writes_both_files_and_both_domain_fields(torch: Any, model: Any, tmp_path: Path) -> None:
    from audacitorch.utils import save_model

    (tmp_path / "model.pt").write_bytes(b"an older one")
    save_model(model, METADATA, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["metadata.json", "model.pt"]
    text = (tmp_path / "metadata.json").read_bytes().decode("utf-8")
    assert "é" * 280 in text
    saved = json.loads(text)
    assert saved == {**METADATA, "domains": METADATA["domain_tags"]}
    with zipfile.ZipFile(tmp_path / "model.pt") as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"model"}
    assert torch.equal(torch.jit.load(str(tmp_path / "model.pt"))(torch.ones(1, 2)), torch.full((1, 2), 2.0))
    save_model(model, changed(domain_tags=..., domains=["speech", "animals"]), str(tmp_path))
    saved = json.loads((tmp_path / "metadata.json").read_text("utf-8"))
    assert (saved["domains"], saved["domain_tags"]) == (["speech", "animals"], ["speech"])


@needs_torch
def test_T3_save_model_refuses_what_the_host_rejects_and_touches_nothing(model: Any, tmp_path: Path) -> None:
    from audacitorch.utils import save_model

    with pytest.raises(ValueError, match="metadata is invalid") as raised:
        save_model(model, changed(labels=..., short_description="x" * 61), tmp_path)
    assert "`labels` is missing" in str(raised.value)
    assert "61 characters" in str(raised.value)
    assert os.listdir(tmp_path) == []


@needs_torch
def test_save_model_says_what_is_wrong_with_the_model_or_the_folder(torch: Any, model: Any, tmp_path: Path) -> None:
    from audacitorch.utils import save_model

    for wrong in (torch.nn.Linear(1, 1), None, lambda x: x, torch.jit.script(torch.nn.functional.relu)):
        with pytest.raises(TypeError, match="not a ScriptModule"):
            save_model(wrong, METADATA, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="must be a folder"):
        save_model(model, METADATA, tmp_path / "file")


@needs_torch
@pytest.mark.filterwarnings("ignore:Saved with Torch")
def test_save_model_makes_the_folder(torch: Any, model: Any, tmp_path: Path) -> None:
    from audacitorch.utils import save_model

    save_model(model, METADATA, str(tmp_path / "new" / "repo"))
    assert sorted(path.name for path in (tmp_path / "new" / "repo").iterdir()) == ["metadata.json", "model.pt"]


@needs_torch
@pytest.mark.filterwarnings("ignore:Saved with Torch")
def test_save_model_leaves_an_older_model_whole_when_it_fails(
    torch: Any, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audacitorch.utils import save_model

    save_model(model, METADATA, tmp_path)
    before = (tmp_path / "model.pt").read_bytes()

    def full(*args: Any) -> None:
        Path(args[1]).write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(torch.jit, "save", full)
    with pytest.raises(OSError, match="no space"):
        save_model(model, METADATA, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["metadata.json", "model.pt"]
    assert (tmp_path / "model.pt").read_bytes() == before


@needs_torch
def test_save_model_warns_when_another_torch_wrote_the_file(
    torch: Any, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audacitorch.utils import save_model

    monkeypatch.setattr(torch, "__version__", "2.13.0+cpu")
    with pytest.warns(UserWarning, match=r"Saved with Torch 2\.13\.0\+cpu\. Audacity runs 1\.9\.0"):
        save_model(model, METADATA, tmp_path)


@needs_torch
def test_example_inputs_are_blocks_of_several_lengths_and_the_same_every_time(torch: Any) -> None:
    from audacitorch.utils import get_example_inputs

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    mono, both = get_example_inputs(), get_example_inputs(multichannel=True)
    assert torch.equal(torch.rand(3), expected), "the caller's random numbers are its own"
    assert {x.shape[0] for x in mono} == {1}
    assert {x.shape[0] for x in both} == {1, 2}
    lengths = {x.shape[1] for x in mono}
    assert {2048, 262144} < lengths
    assert any(length % 2 for length in lengths)
    for x, again in zip(both, get_example_inputs(True)):
        assert x.dtype == torch.float32
        assert 0.9 < x.abs().max() <= 2
        assert torch.equal(x, again)
    assert {round(float(x.abs().max())) for x in mono} == {1, 2}


@needs_torch
def test_a_test_run_passes_what_audacity_can_use(torch: Any, model: Any) -> None:
    from audacitorch.utils import test_run as run

    run(model)
    run(model, multichannel=True)
    run(torch.nn.Identity())
    run(lambda x: (torch.zeros(0), torch.zeros(0, 2)))
    run(lambda x: (torch.zeros(2, 5), torch.tensor([[0.0, 0.5], [0.5, 1.0]])))
    assert run.__test__ is False


@needs_torch
@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: x[0], ValueError, r"shape \[1, 48000\] the model returned shape \[48000\], expected a waveform"),
        (lambda x: x.double(), TypeError, "returned torch.float64, expected torch.float32"),
        (lambda x: x[:, ::2], ValueError, r"returned shape \[1, 24000\], expected \(channels, 48000\)"),
        (lambda x: [x], TypeError, r"returned a list of 1: a Tensor of shape \[1, 48000\], expected one Tensor"),
        (lambda x: (x,), TypeError, "a tuple of two Tensors"),
        (lambda x: (x[0, :3], x[:, :2]), ValueError, r"labels of shape \[3\] and timestamps of shape \[1, 2\]"),
        (lambda x: (x[0, :1], x[:, :2].long()), TypeError, "timestamps of torch.int64"),
        (lambda x: x @ x, RuntimeError, r"the model failed on an input of shape \[1, 48000\]: "),
    ],
)
def test_a_test_run_names_the_shapes_of_what_goes_wrong(torch: Any, function: Any, error: Any, message: str) -> None:
    from audacitorch.utils import test_run as run

    with pytest.raises(error, match=message):
        run(function)


@needs_torch
def test_A94_T13_a_test_run_tries_stereo_where_asked(torch: Any) -> None:
    from audacitorch.utils import test_run as run

    def mono_only(x: Any) -> Any:
        if x.shape[0] != 1:
            raise ValueError("one channel, please")
        return x

    run(mono_only)
    with pytest.raises(RuntimeError, match=r"input of shape \[2, 48000\]: one channel, please"):
        run(mono_only, multichannel=True)


@needs_torch
def test_a_few_samples_more_are_a_warning(torch: Any) -> None:
    from audacitorch.utils import test_run as run

    with pytest.warns(UserWarning, match=r"shape \[1, \d+\], expected \(channels, \d+\)"):
        run(lambda x: torch.cat([x, x[:, :1]], 1))
