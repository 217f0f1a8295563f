"""Rules about metadata.json; fields, types and limits come from metadata.schema.json alone."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Callable, Dict, Iterator, Mapping, Optional

from audacitorch.facts import Metadata
from audacitorch.findings import ERROR, FINE, NOTE, WARNING, Problem, Severity
from audacitorch.hosts import HOSTS, Host, only_for
from audacitorch.repo.jsontext import pointer
from audacitorch.repo.metadata_file import (
    DOMAIN_FIELDS,
    example,
    known_fields,
    properties,
    show,
)
from audacitorch.repo.violations import Violation, by_place, limit_words, nearest
from audacitorch.rules import rule
from audacitorch.wording import sentence

FILE = "metadata.json"

#: So many findings of one rule about one field; a list of ten thousand wrong values needs no ten thousand lines.
MAX_PER_FIELD = 10
#: So many of a file's fields are compared with a missing one's name.
MAX_COMPARED = 100
#: So much of a text that should be a list is shown as one.
_LONGEST_LIST = 300
#: What people write about a model.
DESCRIPTIONS = ("short_description", "long_description")
#: Judged only where metadata.json could be read as one object.
READABLE = ("metadata-encoding", "metadata-json")
#: What to do about a file that could not be read, where the rule's own hint is not the best.
HINTS = {
    "lfs-pointer": "Run `git lfs pull`, and keep metadata.json out of LFS: let .gitattributes name *.pt only.",
    "duplicate-key": "Delete the one that is not meant.",
    "too-large": "Keep to the fields that docs/metadata.md lists.",
}


@rule(
    title="metadata.json is UTF-8",
    reason="Audacity's parser reads UTF-8 without a byte order mark and treats anything else as a broken file.",
    hint="Save the file as “UTF-8”, not “UTF-8 with BOM” or “Unicode”; audacitorch.utils.save_model writes it so.",
    severity=ERROR,
)
def metadata_encoding(metadata: Metadata) -> Iterator[Problem]:
    for problem in metadata.problems:
        if problem.kind == "encoding":
            yield Problem(sentence(problem.message), FILE, problem.line)


@rule(
    title="metadata.json is one JSON object",
    reason="If Audacity's parser refuses metadata.json, the model never appears in its list.",
    hint="Let audacitorch.utils.save_model write the file, or run it through a JSON formatter.",
    severity=ERROR,
)
def metadata_json(metadata: Metadata) -> Iterator[Problem]:
    wrong = [problem for problem in metadata.problems if problem.kind != "encoding"]
    for problem in wrong[:MAX_PER_FIELD]:
        hint = HINTS.get(problem.kind)
        yield Problem(sentence(problem.message), FILE, problem.line, hint, details={"kind": problem.kind})
    if len(wrong) > MAX_PER_FIELD:
        yield Problem(f"{len(wrong) - MAX_PER_FIELD:,} more keys are repeated.", FILE)


@rule(
    title="Every required field of metadata.json is there",
    reason="Audacity needs these fields and drops a model that lacks one.",
    hint="docs/metadata.md lists the fields with an example.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_missing(metadata: Metadata) -> Iterator[Problem]:
    both_missing = not any(field in metadata.fields for field in DOMAIN_FIELDS)
    for hosts in by_place(metadata.fields, lambda v: v.kind == "missing").values():
        field = next(iter(hosts.values())).field
        if field in DOMAIN_FIELDS and both_missing:
            if field == "domains":
                message = "Neither `domains` nor `domain_tags` is there."
                yield Problem(message, FILE, metadata.lines.get(""), _missing_hint(metadata, field))
            continue
        message = f"`{field}` is missing."
        if field == "domain_tags":
            message = f"`domain_tags` is missing: {' and '.join(host.title for host in hosts)} does not read `domains`."
        yield Problem(
            message,
            FILE,
            metadata.lines.get("/domains" if field == "domain_tags" else "", metadata.lines.get("")),
            _missing_hint(metadata, field),
            _severity(hosts),
            {"field": field},
        )


def _missing_hint(metadata: Metadata, field: str) -> str:
    if field in DESCRIPTIONS and "description" in metadata.fields:
        return (
            f"Copy the text of `description` to `{field}`, and shorten it: hosts read `short_description` and "
            "`long_description`, never `description`."
        )
    for present in islice(metadata.fields, MAX_COMPARED):
        if present not in known_fields() and nearest(present, (field,)):
            return f"Rename {show(present)} to `{field}`."
    if field == "domain_tags":
        return "Repeat the list under the name `domain_tags`; audacitorch.utils.save_model does so by itself."
    lines = [example(name) for name in (DOMAIN_FIELDS if field in DOMAIN_FIELDS else (field,))]
    return f"Add {', '.join(lines)}."


@rule(
    title="Fields of metadata.json have the right type",
    reason="Audacity refuses the whole file when a field has another type; 48000.0 is not an integer to its parser.",
    hint="docs/metadata.md lists the types.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_type(metadata: Metadata) -> Iterator[Problem]:
    return _problems(
        metadata,
        lambda v: v.kind == "type",
        lambda v, limit: f"{name(v)} must be {limit}, not {show(v.value)}.",
        _type_hint,
    )


def _type_hint(violation: Violation) -> Optional[str]:
    value, field = violation.value, violation.field
    written = example(field)
    if violation.pointer == pointer("", field):
        if violation.limit == "an integer" and isinstance(value, (str, float)):
            number = _whole_number(str(value))
            written = f'"{field}": {number}' if number is not None else written
        if violation.limit == "a list" and isinstance(value, str):
            entries = [part.strip() for part in re.split("[,;]", value[:_LONGEST_LIST]) if part.strip()]
            written = f'"{field}": [{", ".join(map(show, entries))}]'
    return f"Write {written}." if written else None


def _whole_number(text: str) -> Optional[int]:
    """The number that somebody meant: ``48000.0``, ``44.1 kHz``."""
    found = re.fullmatch(r"\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(k?)(?:hz)?\s*", text, re.IGNORECASE)
    number = None if found is None else float(found[1]) * (1000 if found[2] else 1)
    return None if number is None or number != round(number) else round(number)


@rule(
    title="Numbers in metadata.json lie within the hosts' limits",
    reason="Audacity resamples to this rate and refuses a rate that it can't resample to.",
    hint="Write the sample rate in Hz that the model was trained at, such as 44100.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_range(metadata: Metadata) -> Iterator[Problem]:
    return _problems(
        metadata, lambda v: v.kind == "range", lambda v, limit: f"{name(v)} must be {limit}, not {show(v.value)}."
    )


@rule(
    title="Texts in metadata.json are short enough",
    reason="Audacity limits the length of these texts and refuses a file that exceeds it.",
    hint="Shorten the text; characters are counted as Unicode code points.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_length(metadata: Metadata) -> Iterator[Problem]:
    yield from _problems(
        metadata,
        lambda v: v.kind == "length",
        lambda v, limit: f"{name(v)} has {len(v.value):,} characters, {limit} are allowed: {show(v.value)}.",
    )
    yield from _long_tags(metadata)


def _long_tags(metadata: Metadata) -> Iterator[Problem]:
    """Tags beyond the length that a host's card schema recommends: no host refuses one."""
    tags = metadata.fields.get("tags")
    for index, tag in enumerate(tags if isinstance(tags, list) else []):
        advised = {host: properties(host)["tags"]["items"].get("recommendedMaxLength") for host in HOSTS}
        long = {host: most for host, most in advised.items() if most and isinstance(tag, str) and len(tag) > most}
        if long and index < MAX_PER_FIELD:
            most = min(long.values())
            message = f"`tags[{index}]` has {len(tag):,} characters, and should have at most {most}: {show(tag)}."
            details = {"field": "tags", "value": show(tag), "limit": f"at most {most} characters"}
            line = metadata.lines.get(pointer("/tags", index))
            yield Problem(message, FILE, line, severity=only_for(long, WARNING, others=FINE), details=details)


@rule(
    title="Lists in metadata.json are short enough",
    reason="Audacity limits the length of these lists and refuses a file that exceeds it.",
    hint="Keep the entries that help a user most.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_count(metadata: Metadata) -> Iterator[Problem]:
    return _problems(
        metadata,
        lambda v: v.kind == "count",
        lambda v, limit: f"{name(v)} has {len(v.value):,} entries, {limit} are allowed.",
    )


@rule(
    title="Values in metadata.json are ones that Audacity knows",
    reason="Audacity compares these values exactly: with any other value the model is hidden, or the file is refused.",
    hint="Write one of the values that docs/metadata.md lists, in lower case.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_value(metadata: Metadata) -> Iterator[Problem]:
    def message(violation: Violation, limit: str) -> str:
        if violation.limit == "no tag twice":
            return f"{name(violation)} repeats {show(violation.value)}."
        return f"{name(violation)} must be {limit}, not {show(violation.value)}."

    def hint(violation: Violation) -> Optional[str]:
        if violation.limit == "no tag twice":
            return "Leave the second one out."
        near = nearest(str(violation.value), tuple(violation.limit[len("one of ") :].split(", ")))
        return f'Write "{violation.field}": "{near}".' if near else None

    return _problems(metadata, lambda v: v.kind == "value" and v.field not in DOMAIN_FIELDS, message, hint)


@rule(
    title="Every field of metadata.json is one that Audacity reads",
    reason="A field that no host reads does nothing; often its name is misspelt.",
    hint="Correct the name, or remove the field if nothing of yours reads it.",
    severity=NOTE,
    after=READABLE,
)
def metadata_unknown_field(metadata: Metadata) -> Iterator[Problem]:
    unknown = [field for field in metadata.fields if field not in known_fields() and field != "$schema"]
    for field in unknown[:MAX_PER_FIELD]:
        near = None if field == "description" else nearest(field, known_fields())
        yield Problem(
            f"No host reads the field {show(field)}" + (f": is `{near}` meant?" if near else "."),
            FILE,
            metadata.lines.get(pointer("", field)),
            _unknown_hint(metadata, field, near),
            details={"field": show(field), "nearest": near},
        )
    if len(unknown) > MAX_PER_FIELD:
        yield Problem(f"No host reads {len(unknown) - MAX_PER_FIELD:,} more fields.", FILE)


def _unknown_hint(metadata: Metadata, field: str, near: Optional[str]) -> Optional[str]:
    """A rename where the right name is free; where it is taken, renaming would make a key that comes twice."""
    if field == "description":
        return "Hosts read `short_description` and `long_description`: give each its text, and delete `description`."
    if near is None:
        return None
    if near in metadata.fields:
        return f"`{near}` is there as well: put the text that is meant there, and delete {show(field)}."
    return f"Rename {show(field)} to `{near}`."


def name(violation: Violation) -> str:
    """A value's place as a reader knows it: ``\\`tags[2]\\```."""
    index = violation.pointer.split("/")[2:]
    return f"`{violation.field}{f'[{index[0]}]' if index else ''}`"


def _problems(
    metadata: Metadata,
    wanted: Callable[[Violation], bool],
    message: Callable[[Violation, str], str],
    hint: Callable[[Violation], Optional[str]] = lambda violation: None,
) -> Iterator[Problem]:
    """One problem a place, naming each host's limit where they differ; at most :data:`MAX_PER_FIELD` a field."""
    by_field: Dict[str, int] = {}
    for hosts in by_place(metadata.fields, wanted).values():
        violation = next(iter(hosts.values()))
        by_field[violation.field] = by_field.get(violation.field, 0) + 1
        if by_field[violation.field] > MAX_PER_FIELD:
            continue
        details: Dict[str, Any] = {
            "field": violation.field,
            "value": show(violation.value),
            "limit": limit_words(hosts),
        }
        line = metadata.lines.get(violation.pointer)
        yield Problem(message(violation, limit_words(hosts)), FILE, line, hint(violation), _severity(hosts), details)
    for field, count in by_field.items():
        if count > MAX_PER_FIELD:
            yield Problem(
                f"`{field}` has {count - MAX_PER_FIELD:,} more of these.", FILE, metadata.lines.get(f"/{field}")
            )


def _severity(hosts: Mapping[Host, Violation]) -> Severity:
    """An error for the hosts that refuse the value."""
    return only_for(hosts, ERROR, others=FINE)
