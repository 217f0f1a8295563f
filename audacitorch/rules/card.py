"""Rules about README.md: its front matter is how the Hub's search finds a model."""

from __future__ import annotations

from typing import Iterator

from audacitorch.facts import Card
from audacitorch.findings import WARNING, Problem
from audacitorch.repo.metadata_file import show
from audacitorch.rules import rule
from audacitorch.wording import sentence

FILE = "README.md"
TAG = "audacity"
FRONT_MATTER = "---\ntags: audacity\n---"


@rule(
    title="README.md's front matter can be read",
    reason="The Hub reads a repo's tags from the front matter; if it can't be read, the repo has no tags.",
    hint=f"Begin README.md with\n{FRONT_MATTER}",
    severity=WARNING,
)
def card_front_matter(card: Card) -> Iterator[Problem]:
    for problem in card.problems:
        yield Problem(sentence(show_sentence(problem.message)), FILE, problem.line, details={"kind": problem.kind})


@rule(
    title="The model card has the tag `audacity`",
    reason="Audacity's users and this project's registry find models on the Hub by this tag.",
    hint=f"Begin README.md with\n{FRONT_MATTER}",
    severity=WARNING,
)
def card_tag_missing(card: Card) -> Iterator[Problem]:
    if card.problems:  # card-front-matter says why nothing is known of tags
        return
    if not card.present:
        yield Problem("There is no README.md, so nothing carries the tag `audacity`.", FILE)
    elif card.tags is None:
        yield Problem("README.md's front matter names no tags.", FILE, 1)
    elif TAG not in card.tags:
        near = next((tag for tag in card.tags if tag.strip().lower() == TAG), None)
        message = f"README.md's tags lack `{TAG}`" + (f"; {show(near)} is another tag." if near is not None else ".")
        yield Problem(message, FILE, 1, f"Add `{TAG}`, in lower case, to the tags in README.md's front matter.")


def show_sentence(sentence: str, limit: int = 300) -> str:
    """A sentence that quotes what a stranger wrote, without what a terminal might act on."""
    return show(sentence, limit)[1:-1].replace('\\"', '"')
