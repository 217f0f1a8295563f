"""Rules about metadata.json; fields, types and limits come from metadata.schema.json alone."""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple

from audacitorch.facts import Metadata
from audacitorch.findings import ERROR, FINE, NOTE, WARNING, Problem, Severity
from audacitorch.hosts import Host, by_host, only_for
from audacitorch.repo.jsontext import pointer
from audacitorch.repo.metadata_file import (
    DOMAIN_FIELDS,
    example,
    known_domains,
    known_fields,
    properties,
    refuses_unknown_domains,
    show,
)
from audacitorch.repo.violations import Violation, by_place, limit_words, nearest
from audacitorch.rules import rule

FILE = "metadata.json"

#: So many findings of one rule about one field; a list of ten thousand wrong values needs no ten thousand lines.
MAX_PER_FIELD = 10

#: So many of a file's fields are compared with a missing one's name.
MAX_COMPARED = 100

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
    reason="Audacity's parser reads UTF-8 without a byte order mark and takes the file for broken otherwise.",
    hint="Save the file as “UTF-8”, not “UTF-8 with BOM” or “Unicode”; audacitorch.utils.save_model writes it so.",
    severity=ERROR,
)
def metadata_encoding(metadata: Metadata) -> Iterator[Problem]:
    for problem in metadata.problems:
        if problem.kind == "encoding":
            yield Problem(problem.message, FILE, problem.line)


@rule(
    title="metadata.json is one JSON object",
    reason="Audacity drops a model whose metadata.json its parser refuses: the model never shows up.",
    hint="Let audacitorch.utils.save_model write the file, or run it through a JSON formatter.",
    severity=ERROR,
)
def metadata_json(metadata: Metadata) -> Iterator[Problem]:
    wrong = [problem for problem in metadata.problems if problem.kind != "encoding"]
    for problem in wrong[:MAX_PER_FIELD]:
        hint = HINTS.get(problem.kind)
        yield Problem(problem.message, FILE, problem.line, hint, details={"kind": problem.kind})
    if len(wrong) > MAX_PER_FIELD:
        yield Problem(f"{len(wrong) - MAX_PER_FIELD:,} more keys come twice", FILE)


@rule(
    title="Every required field of metadata.json is there",
    reason="Audacity reads these fields without asking whether they are there, and drops a model that lacks one.",
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
                message = "neither `domains` nor `domain_tags` is there"
                yield Problem(message, FILE, metadata.lines.get(""), _missing_hint(metadata, field))
            continue
        message = f"`{field}` is missing"
        if field == "domain_tags":
            message = "`domain_tags` is missing: the 3.2 alphas do not read `domains`"
        yield Problem(
            message,
            FILE,
            metadata.lines.get("/domains" if field == "domain_tags" else "", metadata.lines.get("")),
            _missing_hint(metadata, field),
            _severity(hosts),
            {"field": field},
        )


def _missing_hint(metadata: Metadata, field: str) -> str:
    for present in islice(metadata.fields, MAX_COMPARED):
        if present not in known_fields() and nearest(present, (field,)):
            return f"Rename {show(present)} to `{field}`."
    if field == "domain_tags":
        return "Repeat the list under the name `domain_tags`; audacitorch.utils.save_model does so by itself."
    lines = [example(name) for name in (DOMAIN_FIELDS if field in DOMAIN_FIELDS else (field,))]
    return f"Add {', '.join(lines)}."


@rule(
    title="Fields of metadata.json have the right type",
    reason="Audacity refuses the whole file when a field has another type; 48000.0 is no integer to its parser.",
    hint="docs/metadata.md lists the types.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_type(metadata: Metadata) -> Iterator[Problem]:
    return _problems(
        metadata,
        lambda v: v.kind == "type",
        lambda v, limit: f"{name(v)} must be {limit}, not {show(v.value)}",
        _type_hint,
    )


def _type_hint(violation: Violation) -> Optional[str]:
    value, field = violation.value, violation.field
    written = example(field)
    if violation.pointer == pointer("", field):
        if violation.limit == "an integer" and isinstance(value, (str, float)):
            digits = str(value).removesuffix(".0")
            written = f'"{field}": {digits}' if digits.isdecimal() and digits.isascii() else written
        if violation.limit == "a list" and isinstance(value, str):
            written = f'"{field}": [{show(value)}]'
    return f"Write {written}." if written else None


@rule(
    title="Numbers in metadata.json lie within the hosts' limits",
    reason="Audacity resamples to this rate and refuses one that it cannot resample to.",
    hint="Write the sample rate in Hz that the model was trained at, such as 44100.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_range(metadata: Metadata) -> Iterator[Problem]:
    return _problems(
        metadata, lambda v: v.kind == "range", lambda v, limit: f"{name(v)} must be {limit}, not {show(v.value)}"
    )


@rule(
    title="Texts in metadata.json are short enough",
    reason="Audacity has room for so many characters and refuses a longer text.",
    hint="Shorten the text; characters are counted as Unicode code points.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_length(metadata: Metadata) -> Iterator[Problem]:
    return _problems(
        metadata,
        lambda v: v.kind == "length",
        lambda v, limit: f"{name(v)} has {len(v.value):,} characters, {limit} are allowed: {show(v.value)}",
    )


@rule(
    title="Lists in metadata.json are short enough",
    reason="Audacity refuses a longer list.",
    hint="Keep the entries that help a user most.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_count(metadata: Metadata) -> Iterator[Problem]:
    return _problems(
        metadata,
        lambda v: v.kind == "count",
        lambda v, limit: f"{name(v)} has {len(v.value):,} entries, {limit} are allowed",
    )


@rule(
    title="Values in metadata.json are ones that Audacity knows",
    reason="Audacity compares these values letter by letter: another one hides the model or rejects the file.",
    hint="Write one of the values that docs/metadata.md lists, in lower case.",
    severity=ERROR,
    after=READABLE,
)
def metadata_field_value(metadata: Metadata) -> Iterator[Problem]:
    def message(violation: Violation, limit: str) -> str:
        if violation.limit == "no tag twice":
            return f"{name(violation)} repeats {show(violation.value)}"
        return f"{name(violation)} must be {limit}, not {show(violation.value)}"

    def hint(violation: Violation) -> Optional[str]:
        if violation.limit == "no tag twice":
            return "Leave the second one out."
        near = nearest(str(violation.value), tuple(violation.limit[len("one of ") :].split(", ")))
        return f'Write "{violation.field}": "{near}".' if near else None

    return _problems(metadata, lambda v: v.kind == "value" and v.field not in DOMAIN_FIELDS, message, hint)


@rule(
    title="Domains are ones that Audacity knows",
    reason="The specification ignores another domain; Audacity 3.2 alpha refuses the whole file.",
    hint="Choose among music, environmental, speech, other.",
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
            f"`{field}` names {show(domain)}, which is none of {', '.join(known_domains())}",
            FILE,
            metadata.lines.get(pointer(f"/{field}", index)),
            f'Write "{near}".' if near else None,
            _domain_severity(field, metadata),
            {"field": field, "value": show(domain)},
        )
    if len(found) > MAX_PER_FIELD:
        yield Problem(f"{len(found) - MAX_PER_FIELD:,} more domains are unknown", FILE)


def _domain_severity(field: str, metadata: Metadata) -> Severity:
    """A host that does not read ``field`` has nothing against it, unless it has nothing else to go by."""
    others = [other for other in DOMAIN_FIELDS if other != field and other in metadata.fields]

    def severity(host: Host) -> str:
        if field not in properties(host) and any(other in properties(host) for other in others):
            return FINE
        return ERROR if refuses_unknown_domains(host) else WARNING

    return by_host(severity)


@rule(
    title="Every field of metadata.json is one that Audacity reads",
    reason="A field that no host reads does nothing; often its name is misspelt.",
    hint="Leave the field out if it is not for you alone.",
    severity=NOTE,
    after=READABLE,
)
def metadata_unknown_field(metadata: Metadata) -> Iterator[Problem]:
    unknown = [field for field in metadata.fields if field not in known_fields() and field != "$schema"]
    for field in unknown[:MAX_PER_FIELD]:
        near = nearest(field, known_fields())
        yield Problem(
            f"no host reads the field {show(field)}" + (f": is `{near}` meant?" if near else ""),
            FILE,
            metadata.lines.get(pointer("", field)),
            f"Rename {show(field)} to `{near}`." if near else None,
            details={"field": show(field), "nearest": near},
        )
    if len(unknown) > MAX_PER_FIELD:
        yield Problem(f"no host reads {len(unknown) - MAX_PER_FIELD:,} more fields", FILE)


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
                f"`{field}` has {count - MAX_PER_FIELD:,} more of these", FILE, metadata.lines.get(f"/{field}")
            )


def _severity(hosts: Mapping[Host, Violation]) -> Severity:
    """An error for the hosts that refuse the value."""
    return only_for(hosts, ERROR, others=FINE)
