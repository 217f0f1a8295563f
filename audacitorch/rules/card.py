"""Rules about what users find and choose a model by: README.md's tags and licence, descriptions, labels, domains."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Tuple

from audacitorch.facts import METADATA, README, Card, Metadata, Repo
from audacitorch.findings import ERROR, FINE, NOTE, WARNING, Problem, Severity
from audacitorch.hosts import Host, by_host
from audacitorch.repo.jsontext import pointer
from audacitorch.repo.metadata_file import DOMAIN_FIELDS, known_domains, properties, refuses_unknown_domains, show
from audacitorch.repo.violations import nearest
from audacitorch.rules import rule
from audacitorch.rules.metadata import DESCRIPTIONS, MAX_PER_FIELD, READABLE
from audacitorch.wording import sentence

#: Whole texts that say nothing: an example's, a template's, or a word for "later".
_PLACEHOLDER = re.compile(
    r"(?:to ?do|tbd|fix ?me|n/?a|none|null|tests?|foo|bar|x{1,8}|[-.…?*_ ]+|my model|lorem ipsum.*|placeholder.*"
    r"|(?:a |the |short |long |model |your )*descriptions?(?: here| goes here| of (?:my|the|your) model)?"
    r"|.*\bsay here (?:what|in) .*|.*description can be a max of.*|use me to …|<.*>|\{.*\}|\[.*\])[.!…]*",
    re.IGNORECASE | re.DOTALL,
)

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


@rule(
    title="Descriptions say what the model does",
    reason="Audacity shows these texts in its list of models, and users choose by them.",
    hint="Say in a few words what the model does to audio, such as `Separates the vocals from the rest`.",
    severity=NOTE,
    after=READABLE,
)
def placeholder_text(metadata: Metadata) -> Iterator[Problem]:
    for field in DESCRIPTIONS:
        text = metadata.fields.get(field)
        if not isinstance(text, str):
            continue
        line = metadata.lines.get(pointer("", field))
        if not text.strip():
            yield Problem(f"`{field}` is empty.", METADATA, line, details={"field": field})
        elif len(text) <= 1_000 and _PLACEHOLDER.fullmatch(text.strip()):
            yield Problem(f"`{field}` is a placeholder: {show(text)}.", METADATA, line, details={"field": field})


@rule(
    title="Every label has a different text",
    reason="Tracks and labels with the same text can't be told apart. Audacity 3.2 alpha joins labels by their text, "
    "and draws labels with a repeated text once more for each repetition.",
    hint="Give each output channel or class a different name.",
    severity=WARNING,
    after=READABLE,
)
def duplicate_labels(metadata: Metadata) -> Iterator[Problem]:
    labels = metadata.fields.get("labels")
    places: Dict[str, List[int]] = {}
    for index, label in enumerate(labels if isinstance(labels, list) else []):
        if isinstance(label, str):
            places.setdefault(label, []).append(index)
    twice = {label: found for label, found in places.items() if len(found) > 1}
    for label, found in list(twice.items())[:MAX_PER_FIELD]:
        line = metadata.lines.get(pointer("/labels", found[1]))
        message = f"{len(found):,} of the labels have the same text: {show(label)}."
        yield Problem(message, METADATA, line, details={"field": "labels", "value": show(label)})
    if len(twice) > MAX_PER_FIELD:
        more = len(twice) - MAX_PER_FIELD
        yield Problem(f"{more:,} more {'text is' if more == 1 else 'texts are'} repeated in `labels`.", METADATA)


@rule(
    title="Domains are ones that Audacity knows",
    reason="The specification ignores an unknown domain; Audacity 3.2 alpha refuses the whole file.",
    hint="Choose from music, environmental, speech, other.",
    severity=by_host(lambda host: ERROR if refuses_unknown_domains(host) else WARNING),
    after=READABLE,
)
def metadata_domain_unknown(metadata: Metadata) -> Iterator[Problem]:
    found: Dict[str, Tuple[str, int]] = {}
    for field in DOMAIN_FIELDS:
        domains = metadata.fields.get(field)
        for index, domain in enumerate(domains if isinstance(domains, list) else []):
            if isinstance(domain, str) and domain not in known_domains():
                found[domain] = (field, index)
    for domain, (field, index) in list(found.items())[:MAX_PER_FIELD]:
        near = nearest(domain, known_domains())
        yield Problem(
            f"`{field}` names {show(domain)}, which is not one of {', '.join(known_domains())}.",
            METADATA,
            metadata.lines.get(pointer(f"/{field}", index)),
            f'Write "{near}".' if near else None,
            _domain_severity(field, metadata),
            {"field": field, "value": show(domain)},
        )
    if len(found) > MAX_PER_FIELD:
        yield Problem(f"{len(found) - MAX_PER_FIELD:,} more domains are unknown.", METADATA)


def _domain_severity(field: str, metadata: Metadata) -> Severity:
    """A host that does not read ``field`` has nothing against it, unless it has nothing else to go by."""
    others = [other for other in DOMAIN_FIELDS if other != field and other in metadata.fields]

    def severity(host: Host) -> str:
        if field not in properties(host) and any(other in properties(host) for other in others):
            return FINE
        return ERROR if refuses_unknown_domains(host) else WARNING

    return by_host(severity)


def show_sentence(sentence: str, limit: int = 300) -> str:
    """A sentence that quotes what a stranger wrote, without what a terminal might act on."""
    return show(sentence, limit)[1:-1].replace('\\"', '"')
