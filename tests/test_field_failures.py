"""What has failed people on the trackers of Audacity's deep-learning branch (A) and of audacitorch (T), row by row.

Rows that are about lists, refreshes and documents are tested where those are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Set

import pytest

torch = pytest.importorskip("torch")

from audacitorch.findings import ERROR, WARNING  # noqa: E402
from audacitorch.hosts import ALPHA, HOSTS, SPEC  # noqa: E402
from audacitorch.report import text  # noqa: E402
from tests.made import checked, errors, repo, weights  # noqa: E402
from tests.repos_make import modules  # noqa: E402
from tests.repos_make.parts import LABELER_FIELDS  # noqa: E402
from tests.test_repos import checked as checked_fixture  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.slow]

STEPS = torch.tensor([[0.0, 0.5], [0.5, 1.0]])


def labeler(labels: Any, places: Any = STEPS) -> Any:
    return modules.Labeler(torch.as_tensor(labels), torch.as_tensor(places))


@pytest.mark.parametrize(("names", "found"), [(["cat"], True), (["cat", "dog"], False)])
def test_A2_labels_shorter_than_the_class_range(tmp_path: Path, names: Any, found: bool) -> None:
    report = checked(repo(tmp_path, labeler([0, 1]), LABELER_FIELDS, labels=names))
    assert errors(report) == ({"label-index-out-of-range"} if found else set())
    assert report.exit_status == (1 if found else 0)


def test_A90_T12_class_scores_where_indices_were_wanted_end_the_alphas(tmp_path: Path) -> None:
    report = checked(repo(tmp_path, labeler(torch.eye(2)), LABELER_FIELDS), hosts=(SPEC, ALPHA))
    assert weights(report) == {"label-format": {(ERROR, (ALPHA,))}}
    assert report.hosts == {SPEC: "pass", ALPHA: "fail"}
    assert report.exit_status == 1


def test_A90_T12_indices_show_the_first_label_in_the_first_builds(tmp_path: Path) -> None:
    report = checked(repo(tmp_path, labeler([0, 1]), LABELER_FIELDS))
    assert weights(report) == {"label-format": {(WARNING, (SPEC,))}}
    assert report.hosts == {SPEC: "pass", ALPHA: "pass"}


@pytest.mark.parametrize(
    ("module", "rule"), [(modules.ReturnsThree(), "output-type"), (labeler(torch.eye(2).unsqueeze(0)), "output-shape")]
)
def test_T12_an_incompatible_output_structure_is_flagged_on_the_saved_file(
    tmp_path: Path, module: Any, rule: str
) -> None:
    assert errors(checked(repo(tmp_path, module, LABELER_FIELDS))) == {rule}


#: Channels that the model takes × `multichannel` × whether `labels` fits its output: what must be found.
EIGHT = [
    (1, False, True, set()),
    (1, False, False, {"output-labels-mismatch"}),
    (1, True, True, {"fails-on-stereo"}),
    (1, True, False, {"fails-on-stereo", "output-labels-mismatch"}),
    (2, False, True, {"forward-error"}),
    (2, False, False, {"forward-error"}),
    (2, True, True, {"fails-on-mono"}),  # a mono track comes as one channel
    (2, True, False, {"fails-on-mono", "output-labels-mismatch"}),
]


@pytest.mark.parametrize(("channels", "multichannel", "match", "expected"), EIGHT)
def test_A94_T13_channels_multichannel_and_labels(
    tmp_path: Path, channels: int, multichannel: bool, match: bool, expected: Set[str]
) -> None:
    module = modules.NeedsChannels(channels, out=2)
    names = ["drums", "bass"] if match else ["drums"]
    report = checked(repo(tmp_path, module, labels=names, multichannel=multichannel))
    assert errors(report) == expected


@pytest.mark.parametrize(
    ("multichannel", "channels", "names", "good"),
    [(True, 2, 2, True), (True, 2, 1, False), (False, 4, 4, True), (False, 1, 2, False)],
)
def test_A94_T13_models_that_take_what_comes(
    tmp_path: Path, multichannel: bool, channels: int, names: int, good: bool
) -> None:
    """Empty tracks where labels are more than channels, lost ones or a crash where they are fewer."""
    labels = [f"track {number}" for number in range(names)]
    report = checked(repo(tmp_path, modules.Mixes(channels), labels=labels, multichannel=multichannel))
    assert errors(report) == (set() if good else {"output-labels-mismatch"})


def test_A94_T13_as_many_channels_out_as_in_fits_no_labels(tmp_path: Path) -> None:
    """A multichannel model that keeps its channels gives one for mono and two for stereo: labels fit one of them."""
    report = checked(repo(tmp_path, modules.Halves(), labels=["left", "right"], multichannel=True))
    assert weights(report) == {"output-labels-mismatch": {(WARNING, tuple(HOSTS))}}
    (finding,) = report.findings
    assert "Return 2 channels always" in finding.hint


def test_A80_A89_a_newer_export_that_closes_audacity_is_told_with_the_error_that_1_9_0_hides(tmp_path: Path) -> None:
    report = checked_fixture("newer-export-aborts-at-pad", tmp_path)
    assert errors(report) - {"newer-export"} == {"aborts-host", "unknown-operator"}
    (ended,) = [finding for finding in report.findings if finding.rule == "aborts-host"]
    assert "SIGABRT" in ended.message
    assert "Unknown builtin op: aten::pad" in ended.message
    assert "Unknown builtin op: aten::pad" in ended.details["error"]


def test_A80_an_archive_that_needs_a_newer_torch_is_told_by_its_format(tmp_path: Path) -> None:
    """One cause, one error; the exception itself stays in the trial's facts."""
    report = checked_fixture("archive-format-10", tmp_path)
    assert errors(report) == {"file-format-too-new"}
    assert report.trial is not None
    assert report.trial.load_failure is not None
    assert "maximum supported version for reading is 6" in report.trial.load_failure.message


def test_A80_a_file_that_does_not_load_gives_the_real_message(tmp_path: Path) -> None:
    """`load-error`: what the archive's code does is in order, and its own __setstate__ raises."""
    report = checked(repo(tmp_path, modules.RaisesWhenLoaded()))
    assert errors(report) == {"load-error"}
    (finding,) = report.findings
    assert "torch.jit.load raised" in finding.message
    assert "no state of this version" in finding.message


@pytest.mark.parametrize(
    ("base", "menu"), [({}, '"Deep Learning Effect"'), (LABELER_FIELDS, '"Deep Learning Analyzer"')]
)
def test_A75_A76_A87_A67_the_report_says_which_menu_shows_the_model(tmp_path: Path, base: Any, menu: str) -> None:
    module = labeler(torch.eye(2)) if base else modules.Halves()
    assert menu in text.render(checked(repo(tmp_path, module, base or None), static=True))


@pytest.mark.parametrize("name", ["labeler-that-says-it-is-an-effect", "effect-that-says-it-is-a-labeler"])
def test_A75_A76_an_effect_type_that_is_not_the_models_is_an_error(tmp_path: Path, name: str) -> None:
    report = checked_fixture(name, tmp_path)
    assert errors(report) == {"output-type"}
    assert "is it a waveform-to-" in report.findings[0].message


def test_A82_a_label_across_a_block_border_is_told(tmp_path: Path) -> None:
    report = checked(repo(tmp_path, labeler([0], [[0.0, 1.0]]), LABELER_FIELDS))
    assert "label-seams" in weights(report)


def test_A82_seams_of_an_effect_are_measured(tmp_path: Path) -> None:
    report = checked(repo(tmp_path, modules.Smooths()))
    assert "block-seams" in weights(report)
    assert report.trial is not None
    assert report.trial.seam_db is not None
    assert report.trial.seam_db < 0


def test_A96_A109_the_report_carries_the_full_text_of_an_error(tmp_path: Path) -> None:
    report = checked_fixture("always-raises", tmp_path)
    (finding,) = report.findings
    assert "Traceback of TorchScript" in finding.details["error"]
    assert "shape '[7, -1, 11]' is invalid for input of size 2048" in finding.details["error"]
    assert "shape '[7, -1, 11]' is invalid" in text.render(report)
    assert "Traceback of TorchScript" in json.dumps(report.to_json())


@pytest.mark.slow
def test_A7_A113_a_slow_model_is_told_with_its_factor(tmp_path: Path) -> None:
    report = checked_fixture("slower-than-real-time", tmp_path)
    assert set(weights(report)) == {"slow"}
    assert report.trial is not None
    assert report.trial.realtime_factor is not None
    assert report.trial.realtime_factor > 1
    assert report.trial.left_out


def test_A7_A113_seconds_for_every_block_are_in_the_report(tmp_path: Path) -> None:
    report = checked(repo(tmp_path, modules.Halves()))
    assert report.trial is not None
    assert all(done.seconds and done.seconds > 0 for done in report.trial.passes)


def test_T3_what_the_host_rejects_is_not_saved(tmp_path: Path) -> None:
    from audacitorch.utils import save_model
    from tests.repos_make.parts import EFFECT_FIELDS

    scripted = torch.jit.script(modules.Halves())
    with pytest.raises(ValueError, match="61 characters"):
        save_model(scripted, {**EFFECT_FIELDS, "short_description": "x" * 61}, tmp_path / "refused")
    assert not (tmp_path / "refused" / "model.pt").exists()


@pytest.mark.parametrize(
    ("indices", "places"),
    [
        ([0, 1], [[0.1, 0.2], [0.7, 0.8]]),  # a gap
        ([0, 1], [[0.0, 0.4], [0.2, 0.45]]),  # two labels at once
        (torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2)),  # none at all
    ],
)
def test_T4_T10_A34_A61_gaps_overlaps_and_no_labels_are_in_order(tmp_path: Path, indices: Any, places: Any) -> None:
    report = checked(repo(tmp_path, labeler(indices, places), LABELER_FIELDS))
    assert weights(report) == {"label-format": {(WARNING, (SPEC,))}}


def test_T4_class_probabilities_of_several_at_once_are_in_order(tmp_path: Path) -> None:
    """Probabilities that do not sum to one say that both are there."""
    report = checked(repo(tmp_path, labeler(torch.ones(2, 2)), LABELER_FIELDS))
    assert weights(report) == {"label-format": {(ERROR, (ALPHA,))}}


def test_A31_a_confidence_threshold_is_no_unknown_field(tmp_path: Path) -> None:
    folder = repo(tmp_path, labeler(torch.eye(2)), LABELER_FIELDS, confidence_threshold=0.5)
    assert checked(folder, static=True).findings == ()


def test_A84_a_display_name_is_accepted(tmp_path: Path) -> None:
    report = checked(repo(tmp_path, modules.Halves(), displayname="Half as loud"), static=True)
    assert report.findings == ()


#: Public reports by fixture: the first finding that its author meets, and words of the remedy. Where the remedy is
#: mechanical or one line of code, tests/hints follows it on the same fixture.
REPORTED = {
    "nn_tilde_16_RAVE_164_MONAI_50_a_newer_export": (
        "newer-export-aborts-at-pad", "newer-export", "audacitorch backport"),
    "djl_1509_MASR_62_icefall_1760_a_state_dict": (
        "weights-from-torch-save", "not-torchscript", "torch.jit.save(torch.jit.script(model), 'model.pt')"),
    "silero_vad_205_533_571_a_state_is_kept": ("remembers-the-last-block", "stateful", "Reset the state"),
    "pytorch_43548_a_bound_is_baked_in": ("stops-after-20000-samples", "traced-length", "torch.jit.script"),
    "GCNv2_SLAM_44_a_device_in_the_code": ("moves-to-cuda", "device-in-code", "device=x.device"),
    "tacotron2_589_half_weights": ("half-weights", "weights-dtype", "model.float()"),
    "tacotron2_589_double_weights": ("double-weights", "weights-dtype", "model.float()"),
    "DCCRN_5_fairseq_3376_no_batch_dimension": ("wants-a-batch", "forward-error", "x.unsqueeze(0)"),
    "msprior_8_RAVE_no_forward": ("no-forward", "forward-signature", "forward(self, x: Tensor)"),
    "pytorch_71929_21402_dropout_in_training": ("drops-in-use", "training-mode", "model.eval()"),
    "pytorch_123507_81287_no_quantized_engine": ("quantized", "quantized", "before quantization"),
    "public_cards_tags_of_16_characters": ("tag-16-characters", "metadata-field-length", "Shorten the text"),
    "public_cards_template_descriptions": ("rename-to-what-is-there", "metadata-unknown-field", "delete"),
    "ASR_notebook_a_frozen_decoder": ("labels-that-never-change", "ignores-input", "results for different inputs"),
    "x03_timestamps_in_milliseconds": ("timestamps-in-milliseconds", "timestamps-unit", "milliseconds by 1000"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REPORTED))
def test_public_report(name: str, tmp_path: Path) -> None:
    fixture, rule, words = REPORTED[name]
    first = checked_fixture(fixture, tmp_path).findings_in_order[0]
    assert (first.rule, words in first.hint) == (rule, True), first


#: The same with models made here: the broken one, the first finding, words of its hint, and the model with the remedy.
REMEDIED = {
    "Chirpity_47_hifigan_4_MP_SENet_33_NaN_on_silence": (
        "DividesByPeak", "output-not-finite", "epsilon", "DividesSafely"),
    "fairseq_1863_denoiser_std_of_one_frame": ("StandardDeviation", "short-input", "one frame", "BiasedDeviation"),
    "audio_1454_a_lazily_made_buffer": ("LazyBuffer", "aborts-host", "assign a new tensor", "AssignedBuffer"),
    "pytorch_15391_a_trace_fixed_the_length": ("FixedLength", "forward-error", "as a trace does", "AnyLength"),
    "pytorch_43548_only_the_first_second": ("BakedBound", "traced-length", "torch.jit.script", ""),
    "query_bandit_7_reflect_pad": ("ReflectPad", "short-input", "pad it to that length", "PaddedFirst"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REMEDIED))
def test_public_report_and_its_remedy(name: str, tmp_path: Path) -> None:
    from tests import field_modules

    broken, rule, words, remedied = REMEDIED[name]
    report = checked(repo(tmp_path / "broken", getattr(field_modules, broken)()), hosts=HOSTS)
    serious = [finding for finding in report.findings_in_order if finding.severity in (ERROR, WARNING)]
    assert [finding.rule for finding in serious] == [rule], serious
    assert words in serious[0].hint
    assert "backport" not in serious[0].hint  # it is from 1.9.0
    if remedied:
        after = checked(repo(tmp_path / "remedied", getattr(field_modules, remedied)()), hosts=HOSTS)
        assert {finding.severity for finding in after.findings} <= {"note"}, after.findings


def test_GCNv2_SLAM_44_is_seen_without_running(tmp_path: Path) -> None:
    assert errors(checked_fixture("moves-to-cuda", tmp_path)) == {"device-in-code"}
    static = checked(tmp_path / "moves-to-cuda", static=True)
    assert errors(static) == {"device-in-code"}
    assert "'cuda" in static.findings[0].message


def test_msprior_8_names_the_methods_that_are_there(tmp_path: Path) -> None:
    report = checked_fixture("no-forward", tmp_path)
    assert "its methods are: encode" in report.findings_in_order[0].message


def test_pytorch_71929_names_the_operator(tmp_path: Path) -> None:
    assert "dropout in training mode" in checked_fixture("drops-in-use", tmp_path).findings[0].message


def test_public_cards_with_long_tags_and_template_texts_still_pass(tmp_path: Path) -> None:
    for fixture in ("tag-16-characters", "rename-to-what-is-there"):
        assert checked_fixture(fixture, tmp_path).exit_status == 0
    report = checked(tmp_path / "rename-to-what-is-there", static=True)
    assert "placeholder-text" in weights(report)


def test_nn_tilde_features_union_types_name_the_backport(tmp_path: Path) -> None:
    report = checked_fixture("type-that-came-later", tmp_path)
    assert any("audacitorch backport" in finding.hint for finding in report.findings)


def test_steerable_nafx_GuitarLSTM_an_unbatched_layer_of_a_newer_export_names_the_backport() -> None:
    from audacitorch.facts import Archive
    from audacitorch.rules import all_rules
    from audacitorch.trial.observations import FINISHED, Failure, Pass, Trial

    said = "RuntimeError: Expected 3-dimensional input for 3-dimensional weight [1, 1, 9], but got 2-dimensional input"
    failed = Pass("first", "noise", 1, 744, 2048, 1, failure=Failure("RuntimeError", said))
    hints = {}
    for producer in ("PyTorch 2.1 or newer", "PyTorch 1.4 to 2.x"):
        archive = Archive("torchscript", producer=producer)
        (problem,) = all_rules()["forward-error"].check(trial=Trial(FINISHED, passes=(failed,)), archive=archive)
        hints[producer] = problem.hint or ""
    assert "since PyTorch 1.11" in hints["PyTorch 2.1 or newer"]
    assert "audacitorch backport" in hints["PyTorch 2.1 or newer"]
    assert "backport" not in hints["PyTorch 1.4 to 2.x"]
    assert all("x.unsqueeze(0)" in hint for hint in hints.values())


def test_torchaudio_SoudenMVDR_a_union_with_a_tensor_is_made_right_by_the_backport(tmp_path: Path) -> None:
    """Turned into `Any`, its reference channel ended 1.9.0 with an INTERNAL ASSERT; the numbers are 2.13's."""
    import shutil

    import numpy as np

    from audacitorch.cli import main

    data = Path(__file__).parent / "data" / "field"
    folder = repo(tmp_path / "beamformer", modules.Halves())
    shutil.copy(data / "souden-mvdr.pt", folder / "model.pt")
    before = checked(folder)
    first = before.findings_in_order[0]
    assert (first.rule, "audacitorch backport" in first.hint) == ("newer-export", True)
    assert any("has no type Union" in finding.message for finding in before.findings)
    assert main(["backport", str(folder), "--in-place", "--no-check"]) == 0
    after = checked(folder, hosts=HOSTS)
    assert {finding.severity for finding in after.findings} <= {"note"}, after.findings
    with np.load(data / "souden-mvdr.npz") as numbers:
        made = torch.jit.load(str(folder / "model.pt"))(torch.from_numpy(numbers["given"]))
        assert np.allclose(made.numpy(), numbers["expected"], atol=1e-5)


def test_every_renderer_names_the_line_of_the_authors_own_code(tmp_path: Path) -> None:
    """Of what is found in the file, and of what forward raises."""
    from audacitorch.report.formats import FORMATS, render

    static = checked_fixture("newer-export-aborts-at-pad", tmp_path)
    raised = checked(exported(tmp_path / "raises", modules.NeedsChannels(2, out=2)))
    for report, rule, place in ((static, "unknown-operator", "modules.py:7"), (raised, "forward-error", "modules.py:")):
        (finding,) = [one for one in report.findings if one.rule == rule]
        assert finding.origin is not None
        assert str(finding.origin).startswith(place)
        assert f"The line is {finding.origin}." in finding.message
        for name in FORMATS:
            if name != "github" or rule == "forward-error":  # an annotation tells of the cause alone
                assert place in render(report, name), (name, rule)
        assert report.to_json()["findings"][report.findings.index(finding)]["origin"]["file"] == "modules.py"


def exported(folder: Path, module: Any) -> Path:
    """A model repo as its author has it: the archive keeps its debug information."""
    made = repo(folder, module)
    torch.jit.save(torch.jit.script(module.eval()), str(made / "model.pt"))
    return made
