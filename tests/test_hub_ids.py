"""``author/name[@revision]``."""

from __future__ import annotations

import pytest

from audacitorch.http import one_line
from audacitorch.hub import TargetUnreadable, parse_repo_id
from audacitorch.hub.failures import InvalidRepoId


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann/effect", ("ann/effect", None)),
        ("ann/effect@main", ("ann/effect", "main")),
        ("A-b.c_d/x.y@" + "0" * 40, ("A-b.c_d/x.y", "0" * 40)),
        ("ann/effect@refs/pr/1", ("ann/effect", "refs/pr/1")),
        ("_a/_b", ("_a/_b", None)),
    ],
)
def test_an_id_and_its_revision(text: str, expected: object) -> None:
    assert parse_repo_id(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "effect", "ann/", "/effect", "a/b/c", "ann/ef fect", "ann/effect@", "ann/effect@a b", "ann/effect@-x",
        "ann/effect@../x", "../effect", "ann/..", "ann/.", "ann/a--b", "ann/a..b", "ann/x.git", "-a/b", "a/b-", "ann/é",
        "ann/effect\n", "ann/effect@main\n", "ann/effect@x\x1b[31m", "a/" + "b" * 97, "a/b@" + "c" * 300, "ann\\effect",
        "a/b@c@{1}", "https://huggingface.co/a/b",
    ],
)  # fmt: skip
def test_what_is_no_id_is_refused_in_one_printable_line(text: str) -> None:
    with pytest.raises(InvalidRepoId) as refused:
        parse_repo_id(text)
    assert str(refused.value).isprintable()
    assert isinstance(refused.value, TargetUnreadable)
    assert refused.value.exit_status == 2


def test_texts_of_a_server_are_made_printable_and_short() -> None:
    assert one_line("a\nb\x1b[31m") == r"a\nb\x1b[31m"
    assert len(one_line("x" * 10_000)) < 400
