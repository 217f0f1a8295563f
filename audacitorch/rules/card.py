"""Rules about README.md: its front matter is how the Hub's search finds a model, and where its licence is named."""

from __future__ import annotations

import re
from typing import Any, Iterator

from audacitorch.facts import README, Card, Repo
from audacitorch.findings import NOTE, WARNING, Problem
from audacitorch.repo.metadata_file import show
from audacitorch.rules import rule
from audacitorch.wording import sentence

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
        yield Problem(sentence(show_sentence(problem.message)), README, problem.line, details={"kind": problem.kind})


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
        yield Problem("There is no README.md, so nothing carries the tag `audacity`.", README)
    elif card.tags is None:
        yield Problem("README.md's front matter names no tags.", README, 1)
    elif TAG not in card.tags:
        near = next((tag for tag in card.tags if tag.strip().lower() == TAG), None)
        message = f"README.md's tags lack `{TAG}`" + (f"; {show(near)} is another tag." if near is not None else ".")
        yield Problem(message, README, 1, f"Add `{TAG}`, in lower case, to the tags in README.md's front matter.")


@rule(
    title="The model card names a licence",
    reason="Without a licence nobody may use the model for their own work. The built-in list shows what is named here.",
    hint="Add `license: mit`, or another SPDX identifier in lower case (https://spdx.org/licenses), to README.md's "
    "front matter; or `license: other` with `license_name` and `license_link`.",
    severity=NOTE,
    after=("card-front-matter",),
)
def card_licence(repo: Repo, card: Card) -> Iterator[Problem]:
    stated = card.front_matter.get("license")
    if stated in (None, "", []):
        if repo.source == "hub":  # a folder may still be an experiment
            yield Problem("README.md's front matter names no licence.", README, 1)
        return
    for licence in stated if isinstance(stated, list) else [stated]:
        if licence == "other":
            if not card.front_matter.get("license_name"):
                yield Problem("`license: other` comes without `license_name`, which says what it is.", README, 1)
        elif not _is_spdx(licence):
            yield Problem(f"The licence {show(str(licence))} is not an SPDX identifier.", README, 1)


def _is_spdx(licence: Any) -> bool:
    """Whether this is one identifier of SPDX's list: the Hub takes no expressions of several."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if not isinstance(licence, str) or not re.fullmatch(r"[A-Za-z0-9.+-]{1,64}", licence):
        return False
    try:
        canonicalize_license_expression(licence)
    except InvalidLicenseExpression:
        return False
    return True


def show_sentence(sentence: str, limit: int = 300) -> str:
    """A sentence that quotes what a stranger wrote, without what a terminal might act on."""
    return show(sentence, limit)[1:-1].replace('\\"', '"')
