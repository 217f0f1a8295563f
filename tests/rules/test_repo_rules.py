from pathlib import Path
from typing import Any

import pytest

from audacitorch.facts import Repo, RepoFile
from audacitorch.findings import ERROR, NOTE, WARNING
from audacitorch.hosts import ALPHA, SPEC
from audacitorch.hub.repos import repo_id_fault
from audacitorch.rules import all_rules
from audacitorch.rules.repo import LARGEST_PLAIN_FILE


def problems(rule: Any, repo: Any) -> Any:
    return list(all_rules()[rule].check(repo))


def folder(*names: Any, source: str = "folder", size: int = 100, lfs: Any = None) -> Any:
    return Repo(source, files={name: RepoFile(name, size, lfs) for name in names})


@pytest.mark.parametrize("identifier", ["hugggof/vocal-separation", "a/b", "_a/b_", "A.b-C_9/" + "x" * 96])
def test_ids_that_the_hub_allows_pass(identifier: Any) -> None:
    assert repo_id_fault(identifier) is None
    assert problems("repo-id", Repo("hub", identifier)) == []


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("", "not of the form author/name"),
        ("name", "not of the form author/name"),
        ("a/b/c", "not of the form author/name"),
        ("/b", "not of the form author/name"),
        ("a/", "not of the form author/name"),
        ("https://huggingface.co/a/b", "not of the form author/name"),
        ("a/" + "x" * 97, "97 characters"),
        ("a/b--c", "holds -- or .."),
        ("../b", "holds -- or .."),
        ("a/.b", "may hold letters"),
        ("a/b-", "may hold letters"),
        ("a/b c", "may hold letters"),
        ("a/bé", "may hold letters"),
        ("a/b\n", "may hold letters"),
        ("a/\x1b[31m", "may hold letters"),
        ("a/b.git", "end with .git"),
    ],
)
def test_A79_ids_that_the_hub_cannot_hold_are_found(identifier: Any, message: str) -> None:
    (problem,) = problems("repo-id", Repo("hub", identifier))
    assert message in problem.message
    assert problem.message.isprintable()


def test_our_idea_of_an_id_is_no_wider_than_the_hub_clients() -> None:
    hub = pytest.importorskip("huggingface_hub.utils")
    for identifier in ("a/b", "_a/b_", "a/b.git", "a/b--c", "a/.b", "a/b-", "a/-b", "a/" + "x" * 97, "a/b/c", "a/b\n"):
        try:
            hub.validate_repo_id(identifier)
        except hub.HFValidationError:
            assert repo_id_fault(identifier) is not None


def test_a_folder_without_an_id_passes() -> None:
    assert problems("repo-id", Repo("folder")) == []


def test_a_repo_with_both_files_passes() -> None:
    assert problems("missing-file", folder("model.pt", "metadata.json", "README.md")) == []


def test_an_empty_repo_is_one_problem() -> None:
    (problem,) = problems("missing-file", folder("README.md"))
    assert "No model has been exported here yet" in problem.message


@pytest.mark.parametrize(
    ("names", "missing", "near"),
    [
        (("metadata.json",), "model.pt", None),
        (("metadata.json", "Model.pt"), "model.pt", "Model.pt"),
        (("metadata.json", "model.pth"), "model.pt", "model.pth"),
        (("metadata.json", "booster.ptl"), "model.pt", "booster.ptl"),
        (("metadata.json", "a.pth", "out/model.pt"), "model.pt", "out/model.pt"),
        (("model.pt",), "metadata.json", None),
        (("model.pt", "meta.json"), "metadata.json", "meta.json"),
        (("model.pt", "metadata.JSON"), "metadata.json", "metadata.JSON"),
        (("model.pt", "tokenizer.json"), "metadata.json", None),
    ],
)
def test_a_missing_file_is_named_with_the_one_that_was_meant(names: Any, missing: str, near: Any) -> None:
    (problem,) = problems("missing-file", folder(*names))
    assert problem.message == f"{missing} is missing."
    assert problem.file == missing
    assert (near is None) == (problem.hint is None)
    assert near is None or near in problem.hint


def test_a_near_miss_with_escape_codes_is_shown_harmless() -> None:
    (problem,) = problems("missing-file", folder("metadata.json", "\x1b[2J\n.pt"))
    assert problem.hint.isprintable()


def test_on_the_hub_a_plain_model_is_a_warning_and_an_error_to_the_alphas() -> None:
    (problem,) = problems("not-in-lfs", folder("model.pt", source="hub", lfs=False))
    assert problem.severity is None
    assert all_rules()["not-in-lfs"].severity == {SPEC: WARNING, ALPHA: ERROR}


@pytest.mark.parametrize("lfs", [True, None])
def test_on_the_hub_a_model_in_lfs_or_of_unknown_storage_passes(lfs: Any) -> None:
    assert problems("not-in-lfs", folder("model.pt", source="hub", lfs=lfs)) == []


@pytest.mark.parametrize("lfs", [False, None])
def test_in_a_folder_a_small_model_gets_a_note(lfs: Any) -> None:
    (problem,) = problems("not-in-lfs", folder("model.pt", lfs=lfs))
    assert problem.severity == NOTE


def test_in_a_folder_a_model_in_lfs_or_too_large_for_plain_git_passes() -> None:
    assert problems("not-in-lfs", folder("model.pt", lfs=True)) == []
    assert problems("not-in-lfs", folder("model.pt", size=LARGEST_PLAIN_FILE + 1)) == []


@pytest.mark.parametrize(
    ("attributes", "counts"),
    [
        ("*.pt", True),
        ("models/*/*.pt", True),
        ("**/*.pt", True),
        ("/models/a/model.pt", True),
        ("models/b/*.pt", False),
    ],
)
def test_gitattributes_at_the_root_of_a_repo_with_several_models_count(
    attributes: str, counts: bool, tmp_path: Path
) -> None:
    from audacitorch.repo.model_repo import FolderRepo

    folder = tmp_path / "checkout" / "models" / "a"
    folder.mkdir(parents=True)
    (folder / "model.pt").write_bytes(b"x")
    (tmp_path / ".gitattributes").write_text("*.pt filter=lfs\n")  # above the checkout: says nothing about it
    (tmp_path / "checkout" / ".git").mkdir()
    (tmp_path / "checkout" / ".gitattributes").write_text(f"{attributes} filter=lfs diff=lfs -text\n")
    assert (FolderRepo(folder).facts.files["model.pt"].lfs is True) == counts
