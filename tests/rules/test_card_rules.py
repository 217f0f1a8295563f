from typing import Any

import pytest

from audacitorch.facts import Repo
from audacitorch.findings import WARNING
from audacitorch.hosts import HOSTS
from audacitorch.repo.readme import read_card
from audacitorch.rules import all_rules


def problems(rule: Any, data: Any) -> Any:
    return list(all_rules()[rule].check(read_card(data)))


@pytest.mark.parametrize("tags", ["audacity", "[audacity]", "[audio, audacity]", "\n- audacity"])
def test_the_tag_is_found_in_every_form(tags: str) -> None:
    data = f"---\ntags: {tags}\n---\n".encode()
    assert problems("card-tag-missing", data) == []
    assert problems("card-front-matter", data) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "There is no README.md"),
        (b"", "names no tags"),
        (b"# A model\n", "names no tags"),
        (b"---\nlicense: mit\n---\n", "names no tags"),
        (b"---\ntags: [audio]\n---\n", "lack `audacity`"),
        (b"---\ntags: Audacity\n---\n", '"Audacity" is another tag'),
        (b"---\ntags: not-audacity\n---\n", "lack `audacity`"),
    ],
)
def test_a_card_without_the_tag_is_found(data: Any, message: str) -> None:
    (problem,) = problems("card-tag-missing", data)
    assert message in problem.message
    assert problem.file == "README.md"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"---\ntags: [audacity\n---\n", "Line 3"),
        (b"---\na: &a 1\nb: *a\n---\n", "an alias"),
        ("---\ntags: é\n---\n".encode("latin-1"), "Byte 0xE9"),
        (b'---\ntags: "\\e[31m"\n"\\e[31m": 1\n"\\e[31m": 1\n---\n', "comes twice"),
        (b"---\ntags: &\x1b[31m\n---\n", ""),
    ],
)
def test_front_matter_that_cannot_be_read_is_one_problem_not_two(data: Any, message: str) -> None:
    (problem,) = problems("card-front-matter", data)
    assert message in problem.message
    assert problem.message.isprintable()
    assert problems("card-tag-missing", data) == []


def test_both_are_warnings_for_every_host() -> None:
    for rule in ("card-tag-missing", "card-front-matter"):
        assert set(all_rules()[rule].severity.values()) == {WARNING}
        assert set(all_rules()[rule].severity) == set(HOSTS)


@pytest.mark.parametrize(
    ("text", "source", "message"),
    [
        ("license: mit", "hub", None),
        ("license: CC-BY-NC-4.0", "hub", None),
        ("license: [mit, apache-2.0]", "hub", None),
        ("license: other\nlicense_name: mine", "hub", None),
        ("tags: audacity", "folder", None),
        ("tags: audacity", "hub", "names no licence"),
        ("license: []", "hub", "names no licence"),
        ("license: other", "folder", "without `license_name`"),
        ("license: free", "folder", '"free" is not an SPDX identifier'),
        ("license: mit or apache-2.0", "folder", "is not an SPDX identifier"),
        ("license: 3", "folder", '"3" is not an SPDX identifier'),
        ("license: {a: b}", "folder", "is not an SPDX identifier"),
        ("license: [mit, free]", "hub", '"free" is not'),
        (f"license: {'(' * 5000}", "hub", "is not an SPDX identifier"),
    ],
)
def test_a_licence_is_named_by_its_spdx_identifier(text: str, source: str, message: Any) -> None:
    card = read_card(f"---\n{text}\n---\n".encode())
    found = list(all_rules()["card-licence"].check(Repo(source), card))
    assert [problem.message for problem in found if message is None] == []
    assert message is None or message in found[0].message
