"""What a record's JSON must look like to be believed, and the statuses that it can have.

The statuses are one table that the command line, the schema, the pages and the docs read. The shapes are written by
hand, because a refresh reads every record, and a validator of JSON Schema takes a hundred times as long;
``record.schema.json`` says the same, and a test compares them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping

from audacitorch.hub.repos import is_commit, repo_id_fault

UNTESTED = "untested"
COMPATIBLE = "compatible"
INCOMPATIBLE = "incompatible"
NOT_A_MODEL = "not-a-model"
UNREACHABLE = "unreachable"
GONE = "gone"

#: How a page marks a status: by a colour. Green is for every host only.
GOOD, PARTLY, WAITING, BAD, NONE = "good", "partly", "waiting", "bad", "none"

SCHEMA_VERSION = 1
KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
EVENTS = ("new", "renamed", "revision", "status", "tested")
#: What other programs can read of a number: whole numbers are exact up to here, others have an end.
LARGEST_COUNT, LARGEST_NUMBER = (1 << 53) - 1, 1e300
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SEVERITIES = ("error", "warning", "note")

Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Status:
    """A status: what it means, and what follows from it.

    Attributes:
        mark: how pages show it; ``compatible`` is :data:`PARTLY` unless every host runs the model.
        broken: whether a model that gets it has stopped to work.
        testable: whether a trial of the model makes sense.
        has_page: whether the page of the registry has a row for it.
    """

    name: str
    meaning: str
    mark: str
    broken: bool = False
    testable: bool = False
    has_page: bool = True


STATUSES: Dict[str, Status] = {
    status.name: status
    for status in (
        Status(UNTESTED, "no error is known, and what is there now has not been run", WAITING, testable=True),
        Status(COMPATIBLE, "it was run, and passes for at least one host, which is named", GOOD, testable=True),
        Status(
            INCOMPATIBLE,
            "every host has an error, from the files alone or from a trial",
            BAD,
            broken=True,
            testable=True,
        ),
        Status(NOT_A_MODEL, "model.pt or metadata.json is missing in the top folder", NONE, has_page=False),
        Status(
            UNREACHABLE,
            "it is gated or disabled; or it is listed and could not be read in refreshes a day apart (at once if new)",
            BAD,
            broken=True,
        ),
        Status(GONE, "the listing lacked it in refreshes at least 24 hours apart", BAD, broken=True, has_page=False),
    )
}


def compatible_with(passing: List[str], hosts: int) -> str:
    """The status of a model that passes for the hosts with these titles, of so many hosts."""
    if len(passing) == hosts:
        return f"compatible with {'both' if hosts == 2 else 'all'} hosts"
    return f"compatible with {' and '.join(passing)} only"


class NotARecord(ValueError):
    """The JSON is not a record that this tool can believe; the message says where."""


class LaterSchema(NotARecord):
    """A later version of this tool wrote the record: it must be left as it is."""


def require_record(data: Any) -> None:
    """Make sure that ``data`` is a record.

    Raises:
        LaterSchema: it is one of a later version.
        NotARecord: it is not one.
    """
    if not isinstance(data, dict):
        raise NotARecord("it is not a JSON object")
    version = data.get("schema_version")
    if type(version) is not int:
        raise NotARecord("schema_version is not an integer")
    if version > SCHEMA_VERSION:
        raise LaterSchema(f"it has schema version {version}, and this version of audacitorch reads {SCHEMA_VERSION}")
    _require(data, _RECORD, "")
    for name, file in data["files"].items():
        _require(file, _FILE, f"files[{name[:80]!r}].")
    for number, event in enumerate(data["history"]):
        _require(event, _EVENT, f"history[{number}].")
    for part in ("static", "trial"):
        if data[part] is not None:
            _require_judgement(data[part], part)
    if data["trial"] is not None:
        _require(data["trial"], _TRIAL, "trial.")
        given = {name: check for name, check in _TRIAL_FIGURES.items() if name in data["trial"]}
        _require(data["trial"], given, "trial.")


def _require_judgement(judgement: Mapping[str, Any], part: str) -> None:
    _require(judgement, _JUDGEMENT, f"{part}.")
    for number, finding in enumerate(judgement["findings"]):
        _require(finding, _FINDING, f"{part}.findings[{number}].")
    for number, failed in enumerate(judgement["could_not_run"]):
        _require(failed, _FAILED, f"{part}.could_not_run[{number}].")


def _require(value: Any, shape: Mapping[str, Check], where: str) -> None:
    if not isinstance(value, dict):
        raise NotARecord(f"{where.rstrip('.')} is not a JSON object")
    for name, check in shape.items():
        if name not in value:
            raise NotARecord(f"{where}{name} is missing")
        if not check(value[name]):
            raise NotARecord(f"{where}{name} is not what it should be")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _array(value: Any) -> bool:
    return isinstance(value, list)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_COUNT


def _number(value: Any) -> bool:
    return type(value) in (int, float) and -LARGEST_NUMBER <= value <= LARGEST_NUMBER  # NaN is not


def _date(value: Any) -> bool:
    return isinstance(value, str) and _DATE.fullmatch(value) is not None


def _status(value: Any) -> bool:
    return isinstance(value, str) and value in STATUSES


def _hash(value: Any) -> bool:
    return is_commit(value) or (isinstance(value, str) and _SHA256.fullmatch(value) is not None)


def _contents(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"model", "metadata"} and all(map(_hash, value.values()))


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


_RECORD: Dict[str, Check] = {
    "id": lambda value: isinstance(value, str) and repo_id_fault(value) is None,
    "key": lambda value: isinstance(value, str) and KEY.fullmatch(value) is not None,
    "revision": _optional(is_commit),
    "status": _status,
    "reason": _text,
    "first_seen": _date,
    "last_changed": _date,
    "gated": _flag,
    "disabled": _flag,
    "licence": _optional(_text),
    "files": _object,
    "metadata": _optional(_object),
    "archive": _optional(_object),
    "static": _optional(_object),
    "trial": _optional(_object),
    "previous_ids": _texts,
    "history": _array,
}
_FILE: Dict[str, Check] = {
    "size": _optional(_count),
    "git_sha1": _optional(is_commit),
    "sha256": _optional(lambda value: isinstance(value, str) and _SHA256.fullmatch(value) is not None),
}
_EVENT: Dict[str, Check] = {
    "date": _date,
    "event": lambda value: isinstance(value, str) and value in EVENTS,
    "revision": _optional(is_commit),
    "was": _optional(_status),
    "status": _status,
    "reason": _text,
}
_JUDGEMENT: Dict[str, Check] = {"tool": _text, "date": _date, "findings": _array, "could_not_run": _array}
_TRIAL: Dict[str, Check] = {
    "content": _contents,
    "revision": _optional(is_commit),
    "torch": _optional(_text),
    "ended": _optional(_text),
    "realtime_factor": _optional(_number),
}
#: Figures that a trial may lack.
_TRIAL_FIGURES: Dict[str, Check] = {
    "load_seconds": _optional(_number),
    "minimum_samples": _optional(_count),
    "peak_memory_bytes": _optional(_count),
}
_FINDING: Dict[str, Check] = {
    "rule": _text,
    "severity": lambda value: isinstance(value, str) and value in _SEVERITIES,
    "hosts": _texts,
    "message": _text,
}
_FAILED: Dict[str, Check] = {"rule": _text, "error": _text}
