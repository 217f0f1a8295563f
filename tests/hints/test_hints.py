"""Every hint is followed, on a repo that breaks its rule: the finding is gone, and no other has come.

Where the remedy is mechanical, `audacitorch fix` or the very command of the hint follows it; elsewhere an author's hand
is played by an edit or by a module of :mod:`tests.hints.remedied`.
"""

from __future__ import annotations

import json
import re
import subprocess
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Set

import pytest

from audacitorch.check import Options, check
from audacitorch.cli import main
from audacitorch.repo.model_repo import FolderRepo
from audacitorch.rules import all_rules
from audacitorch.trial.starters import worker_starter
from tests.test_repos import copy_of, expect

Follow = Callable[[Path], None]

#: Notes about what a model is, and the form of labels, which pleases one host at a time.
ALLOWED = {"label-format", "label-seams", "block-seams"}

#: Rules whose hint has nothing to follow on a repo, each with the reason and where its hint is tested.
ELSEWHERE = {
    "label-seams": "nothing to fix, and the hint says so",
    "repo-id": "an id is no file: tests/rules/test_repo_rules.py",
    "model-too-large": "no fixture has 2 GiB: tests/rules/test_archive_rules.py",
    "load-error": "its hint names the cause that the exception gives: tests/rules/test_trial_rules.py",
    "hidden-code": "no archive gets past the reader: the test that blinds it, tests/trial/test_hidden_code.py",
    "slow": "speed is the machine's: tests/rules/test_trial_rules.py",
}


class Followed(NamedTuple):
    """A hint, the fixture that it is followed on, and how."""

    rule: str
    fixture: str
    follow: Follow
    words: str = ""  # that the hint must hold, where a line of code is copied from it


def fixed(folder: Path) -> None:
    """`audacitorch fix`."""
    main(["fix", str(folder), "--yes", "--static"])


def backported(folder: Path) -> None:
    assert main(["backport", str(folder), "--in-place", "--no-check"]) == 0


def fields(**changes: Any) -> Follow:
    """An author who edits metadata.json; None takes a field away."""

    def follow(folder: Path) -> None:
        path = folder / "metadata.json"
        edited = {**json.loads(path.read_text("utf-8")), **changes}
        path.write_text(json.dumps({key: value for key, value in edited.items() if value is not None}), "utf-8")

    return follow


def text(name: str, content: str) -> Follow:
    def follow(folder: Path) -> None:
        (folder / name).write_text(content, encoding="utf-8")

    return follow


def exported(make: Callable[[], Any]) -> Follow:
    """An author who changes the module and exports it again."""

    def follow(folder: Path) -> None:
        import torch

        module = make()
        torch.jit.save(torch.jit.script(module.eval()), str(folder / "model.pt"))

    return follow


def saved_by_save_model(folder: Path) -> None:
    import torch

    from audacitorch.utils import save_model
    from tests.repos_make.modules import Halves
    from tests.repos_make.parts import EFFECT_FIELDS

    save_model(torch.jit.script(Halves()), EFFECT_FIELDS, folder)


def in_lfs(folder: Path) -> None:
    """The commands of the hint, in a repository that has model.pt committed as a plain file."""

    def git(*words: str) -> None:
        identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    git("init", "--quiet")
    git("config", "user.name", "ann")
    git("config", "user.email", "ann@example.org")
    git("add", ".")
    git("commit", "--quiet", "--message", "as it was")
    subprocess.run(["bash", "-ec", all_rules()["not-in-lfs"].hint], cwd=folder, check=True, capture_output=True)
    listed = subprocess.run(["git", "lfs", "ls-files"], cwd=folder, check=True, capture_output=True, text=True)
    assert "model.pt" in listed.stdout


def modules() -> Any:
    from tests.repos_make import modules as broken

    return broken


def remedied() -> Any:
    from tests.hints import remedied as modules_again

    return modules_again


def again(name: str, inner: Optional[Callable[[Any], Any]] = None, *more: Any) -> Follow:
    """A module of :mod:`tests.hints.remedied`, around one of the broken modules where it wraps one, exported again."""

    def make() -> Any:
        return getattr(remedied(), name)(*([] if inner is None else [inner(modules())]), *more)

    return exported(make)


def labeler(labels: Any = None) -> Any:
    import torch

    steps = torch.tensor([[0.0, 0.5], [0.5, 1.0]])
    return modules().Labeler(torch.eye(2) if labels is None else torch.as_tensor(labels), steps)


def halves() -> Any:
    return modules().Halves()


FOLLOWED = [
    # The card and the repo's files
    Followed("card-front-matter", "front-matter-is-no-yaml", text("README.md", "---\ntags: audacity\n---\n# Model\n")),
    Followed("card-tag-missing", "readme-without-front-matter", fixed),
    Followed("card-licence", "licence-is-not-spdx", text("README.md", "---\ntags: audacity\nlicense: mit\n---\n")),
    Followed("missing-file", "no-files-yet", saved_by_save_model, "audacitorch.utils.save_model("),
    Followed("not-in-lfs", "not-in-lfs", in_lfs),
    Followed("lfs-pointer", "checkout-without-lfs", exported(halves)),
    # metadata.json
    Followed("metadata-encoding", "metadata-with-byte-order-mark", fixed),
    Followed("metadata-json", "metadata-trailing-comma", fixed),
    Followed("metadata-field-missing", "domains-only", fixed),
    Followed("metadata-field-missing", "no-sample-rate", fields(sample_rate=44100)),
    Followed("metadata-field-type", "sample-rate-as-text", fixed),
    Followed("metadata-field-range", "sample-rate-0", fields(sample_rate=44100)),
    Followed("metadata-field-length", "short-description-61-characters", fields(short_description="x" * 60)),
    Followed("metadata-field-length", "tag-16-characters", fields(tags=["x" * 15])),
    Followed("metadata-field-count", "six-tags", fields(tags=["a", "b"])),
    Followed("metadata-field-value", "effect-type-in-capitals", fixed),
    Followed("metadata-domain-unknown", "domain-unknown", fixed),
    Followed("metadata-unknown-field", "sample-rate-misspelt", fixed),
    Followed("placeholder-text", "rename-to-what-is-there", fields(long_description="Separates drums and bass.")),
    Followed("metadata-unknown-field", "rename-to-what-is-there", fields(model_long_description=None)),
    Followed("duplicate-labels", "label-twice", fields(labels=["left", "right"])),
    # The archive
    Followed("newer-export", "newer-export-aborts-at-pad", backported, "audacitorch backport"),
    Followed("unknown-operator", "newer-operator", backported),
    Followed("operator-arguments", "newer-export-aborts-at-raise", backported),
    Followed("operator-arguments", "operator-with-one-argument-too-many", exported(halves)),
    Followed("unknown-type", "type-that-came-later", exported(halves)),
    Followed("file-format-too-new", "archive-format-10", backported),
    Followed("aborts-host", "newer-export-aborts-at-pad", backported, "audacitorch backport"),
    Followed("custom-operator", "operator-of-torchaudio", exported(halves)),
    Followed("file-access", "reads-a-file", again("HasItsTable")),
    Followed("not-torchscript", "weights-from-torch-save", exported(halves), "torch.jit.save(torch.jit.script(model)"),
    Followed("unsafe-archive", "member-packed-oddly", exported(halves)),
    Followed("unusual-code", "code-that-can-not-be-parsed", exported(halves)),
    Followed("weights-dtype", "half-weights", fixed),
    Followed("forward-signature", "no-forward", again("Encodes", lambda m: m.HasNoForward())),
    Followed(
        "forward-signature", "forward-of-two-tensors", again("OfOneTensor", lambda m: m.WantsTwoTensors())
    ),
    Followed("device-in-code", "moves-to-cuda", again("WhereTheInputIs"), "device=x.device"),
    Followed(
        "training-mode", "drops-in-use", again("DropsInTraining"), "training=self.training"
    ),
    Followed("quantized", "quantized", exported(halves)),
    # What a pass returns
    Followed("output-type", "effect-returns-a-list", exported(halves)),
    Followed("output-type", "labeler-that-says-it-is-an-effect",
             fields(effect_type="waveform-to-labels", labels=["a", "b"])),
    Followed("output-shape", "three-dimensions", again("WithoutBatch", lambda m: m.Reshapes(3)), "squeeze"),
    Followed(
        "output-dtype", "returns-float64", again("AsFloat", lambda m: m.Converts(_float64())), ".float()"
    ),
    Followed("output-length", "twice-as-long", again("Cut", lambda m: m.Resizes(1, True)), ":x.shape[1]"),
    Followed("output-not-finite", "nan-on-silence", again("NormalizesSafely"), "epsilon"),
    Followed("output-labels-mismatch", "two-channels-one-label", fields(labels=["left", "right"])),
    Followed("fails-on-mono", "fails-on-mono",
             again("RepeatsMono", lambda m: m.NeedsChannels(2, 2)), "x = x.repeat(2, 1)"),
    Followed("fails-on-stereo", "fails-on-stereo", fields(multichannel=False), '"multichannel": false'),
    Followed("forward-error", "wants-a-batch", again("WithBatch", lambda m: m.WantsABatch())),
    Followed("short-input", "needs-2049-samples", again("Padded", lambda m: m.NeedsLength(2049), 2049)),
    Followed("traced-length", "stops-after-20000-samples", exported(halves)),
    Followed("ignores-input", "always-the-same-tone", exported(halves)),
    Followed("memory-grows", "keeps-every-block", again("KeepsLocally"), "local variables"),
    Followed("stateful", "remembers-the-last-block", again("CountsLocally"), "local variables"),
    Followed("timeout", "endless-loop", exported(halves)),
    Followed("out-of-memory", "eats-memory", again("InChunks"), "in chunks"),
    # How it sounds
    Followed("block-seams", "seams-are-heard", exported(halves)),
    Followed("clipping", "too-loud", again("Quieter", lambda m: m.Adds(3.0, 0.0), 0.25)),
    Followed("dc-offset", "constant-offset", again("WithoutMean", lambda m: m.Adds(0.5, 0.25))),
    Followed("latency", "100-samples-late", again("InTime", lambda m: m.Delays())),
    Followed("silent-output", "silent", exported(halves)),
    # Labels
    Followed("label-index-out-of-range", "labels-shorter-than-the-class-range", fields(labels=["a", "b", "c"])),
    Followed("probabilities-range", "logits-for-probabilities", again("SoftMaxed", lambda m: labeler(_sure(9)))),
    Followed("timestamps-order", "start-after-end", exported(labeler)),
    Followed("timestamps-range", "end-after-the-block", exported(labeler)),
    Followed("timestamps-unit", "timestamps-in-milliseconds",
             again("Seconds", lambda m: _in_milliseconds()), "milliseconds by 1000"),
]  # fmt: skip


def _float64() -> Any:
    import torch

    return torch.float64


def _sure(times: int) -> Any:
    import torch

    return torch.eye(2) * times


def _in_milliseconds() -> Any:
    import torch

    return modules().LabelerInMilliseconds(torch.eye(2), torch.tensor([[0.0, 0.5], [0.5, 1.0]]))


def _case(followed: Followed) -> Any:
    marks = [pytest.mark.torch]
    if not expect(followed.fixture)["static"]:
        marks.append(pytest.mark.slow)
    if followed.rule == "not-in-lfs":
        marks.append(pytest.mark.lfs)
    return pytest.param(followed, id=f"{followed.rule}: {followed.fixture}", marks=marks)


def found(folder: Path, static: bool) -> Set[str]:
    report = check(FolderRepo(folder), Options(static=static), worker_starter(many=True))
    assert report.could_not_run == ()
    return {finding.rule for finding in report.findings}


@pytest.mark.parametrize("followed", map(_case, FOLLOWED))
def test_the_finding_is_gone_and_no_other_has_come(followed: Followed, tmp_path: Path) -> None:
    before: Set[str] = {finding["rule"] for finding in expect(followed.fixture)["findings"]}
    assert followed.rule in before
    assert followed.words in all_hints(followed)
    folder = copy_of(followed.fixture, tmp_path)
    followed.follow(folder)
    after = found(folder, static=bool(expect(followed.fixture)["static"]))
    assert followed.rule not in after
    assert after <= before | ALLOWED


def all_hints(followed: Followed) -> str:
    """The rule's own hint, and those that its findings bring."""
    return all_rules()[followed.rule].hint


@pytest.mark.torch
def test_either_form_of_labels_pleases_its_host(tmp_path: Path) -> None:
    """No form pleases both, and the hint names the form for each."""
    folder = copy_of("good-labeler-of-indices", tmp_path)
    hosts: Dict[str, Optional[str]] = {}
    for labels in ([0, 1], None):
        exported(partial(labeler, labels))(folder)
        report = check(FolderRepo(folder), Options(), worker_starter(many=True))
        (finding,) = [finding for finding in report.findings if finding.rule == "label-format"]
        hosts[str(labels)] = str(finding.hosts[0])
    assert hosts == {"[0, 1]": "spec", "None": "audacity-3.2-alpha"}
    assert re.search("probabilities.*specification.*indices.*3.2 alpha", all_rules()["label-format"].hint)


def test_every_rule_has_a_hint_that_is_followed() -> None:
    followed = {one.rule for one in FOLLOWED} | {"label-format"}
    assert sorted(set(all_rules()) - followed - set(ELSEWHERE)) == []
    assert sorted(set(ELSEWHERE) & followed) == []
