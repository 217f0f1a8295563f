"""Suggested changes against a local GitHub, which refuses lines that the pull request does not show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from audacitorch.github import GitHub
from audacitorch.github.suggestions import changes, lines_in_diff, main, suggest
from tests.github import LocalGitHub

CARD = "\n".join(["{", *(f'  "field{number}": {number},' for number in range(20)), '  "labels": "out"', "}", ""])
CHANGED = CARD.replace('"field3": 3', '"field3": "three"')
FIXED = CHANGED.replace('"field3": "three"', '"field3": 3').replace('"labels": "out"', '"labels": ["out"]')


@pytest.fixture
def server() -> Iterator[LocalGitHub]:
    with LocalGitHub("author/model", {"a/metadata.json": CARD}) as github:
        github.add_token("good", pull_requests="write")
        github.add_token("reader", pull_requests="read")
        state = github.state
        head = state.commit({"a/metadata.json": CHANGED.encode()}, [state.branches["main"]], "changed")
        state.branches["change"] = head
        made = state.add_issue("A change", None, "author")
        made.pull = {"head": "change", "base": "main", "sha": head}
        yield github
        assert github.unexpected == []


def client(server: LocalGitHub, token: str = "good") -> GitHub:
    return GitHub("author/model", token, server.url, timeouts=(2.0, 1.0))


def written(server: LocalGitHub) -> List[Dict[str, Any]]:
    return [comment for review in server.state.reviews.get(1, []) for comment in review.comments]


def test_what_the_diff_shows_is_suggested_once(server: LocalGitHub) -> None:
    """The other change, of a line far from the diff, is left out: GitHub would refuse the whole review."""
    wanted = list(changes("a/metadata.json", CHANGED, FIXED))
    assert len(wanted) == 2
    with client(server) as github:
        assert suggest(github, 1, wanted) == 1
        assert suggest(github, 1, wanted) == 0
    (comment,) = written(server)
    assert (comment["path"], comment["line"], comment["side"]) == ("a/metadata.json", 5, "RIGHT")
    assert comment["body"].endswith('```suggestion\n  "field3": 3,\n```')


def test_another_change_of_the_same_line_is_another_suggestion(server: LocalGitHub) -> None:
    with client(server) as github:
        assert suggest(github, 1, list(changes("a/metadata.json", CHANGED, FIXED))) == 1
        other = FIXED.replace('"field3": 3', '"field3": 4')
        assert suggest(github, 1, list(changes("a/metadata.json", CHANGED, other))) == 1


def test_lines_that_are_not_as_they_were_compared_get_no_suggestion(server: LocalGitHub) -> None:
    """A checkout of the merge has other lines than the pull request's own commit."""
    merged = CHANGED.replace('"field3": "three"', '"field3": "drei"')
    with client(server) as github:
        assert suggest(github, 1, list(changes("a/metadata.json", merged, FIXED))) == 0
    assert written(server) == []


def test_a_strangers_marker_keeps_nothing_back(server: LocalGitHub) -> None:
    from tests.github.state import Review

    wanted = [change for change in changes("a/metadata.json", CHANGED, FIXED) if change.first == 5]
    server.state.reviews[1] = [Review(7, "somebody", "c", [wanted[0].as_comment()], server.state.now())]
    with client(server) as github:
        assert suggest(github, 1, wanted) == 1


def test_added_lines_replace_the_line_before_them_and_long_ranges_have_a_start() -> None:
    (added,) = changes("README.md", "# Model\ntext\n", "---\ntags: audacity\n---\n# Model\ntext\n")
    assert (added.first, added.last, list(added.after)) == (1, 1, ["---", "tags: audacity", "---", "# Model"])
    (behind,) = changes("x", "a\nb\n", "a\nb\nc\n")
    assert (behind.first, list(behind.after)) == (2, ["b", "c"])
    (several,) = changes("x", "a\nb\nc\nd\n", "a\nB\nC\nd\n")
    assert {name: several.as_comment()[name] for name in ("start_line", "line")} == {"start_line": 2, "line": 3}
    (removed,) = changes("x", "a\nb\n", "a\n")
    assert removed.body.endswith("```suggestion\n```")
    assert list(changes("x", "", "a\n")) == []


def test_no_text_closes_its_fence() -> None:
    (change,) = changes("README.md", "a\n", "````\n@somebody\n")
    fence = "`" * 5
    assert change.body.partition("\n")[2] == f"{fence}suggestion\n````\n@somebody\n{fence}"


def test_the_lines_of_a_diff() -> None:
    patch = "@@ -1,2 +1,3 @@ x\n a\n+b\n-gone\n c\n@@ -9 +10 @@\n-x\n+y\n\\ No newline at end of file"
    assert lines_in_diff(patch) == [{1: "a", 2: "b", 3: "c"}, {10: "y"}]


@pytest.mark.parametrize(("token", "said"), [("good", "1 suggested"), ("reader", "Nothing was suggested: ")])
def test_the_program(
    token: str,
    said: str,
    server: LocalGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A token that may not write, as that of a fork's pull request, is no failure: the artifact has the changes."""
    for name, value in (("TOKEN", token), ("REPOSITORY", "author/model"), ("API_URL", server.url)):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    for folder, text in (("before", CHANGED), ("after", FIXED)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "metadata.json").write_text(text, encoding="utf-8")
    words = [str(tmp_path / "before"), str(tmp_path / "after"), "--pull-request", "1", "--folder", "a"]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(said)
    assert json.loads(FIXED)["labels"] == ["out"]
    assert len(written(server)) == (token == "good")
