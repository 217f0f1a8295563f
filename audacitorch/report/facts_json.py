"""The facts that report.json shows: plain JSON values, bounded in size whatever the repo holds."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from audacitorch.report.escape import shorten

if TYPE_CHECKING:
    from audacitorch.facts import Archive, Metadata
    from audacitorch.trial.observations import Failure, Output, Pass, Trial

#: What fits of one text, of one list or object, and of objects in objects.
TEXT_LIMIT = 2_000
ITEM_LIMIT = 1_000
DEPTH_LIMIT = 6
#: Native messages and stacks are what a report is read for: nearly all of them fits whole.
ERROR_LIMIT = 65_536
PASS_LIMIT = 200
OPERATOR_LIMIT = 5_000
#: Integers that every JSON reader keeps exactly.
_INTEGER_LIMIT = 2**63


def plain(value: Any, text_limit: int = TEXT_LIMIT, item_limit: int = ITEM_LIMIT, depth: int = DEPTH_LIMIT) -> Any:
    """``value`` as JSON values: NaN and infinity become None, huge values are cut, unknown types become text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return shorten(value, text_limit)
    if isinstance(value, int):
        return int(value) if abs(value) < _INTEGER_LIMIT else f"integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        kept = list(value.items())[:item_limit]
        return {shorten(str(key), 200): plain(item, text_limit, item_limit, depth - 1) for key, item in kept}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else list(value)
        return [plain(item, text_limit, item_limit, depth - 1) for item in items[:item_limit]]
    return shorten(str(value), text_limit)


def metadata_to_json(metadata: Metadata) -> Dict[str, Any]:
    """The fields of metadata.json as they are written, bounded."""
    fields: Dict[str, Any] = plain(metadata.fields)
    return fields


def archive_to_json(archive: Archive) -> Dict[str, Any]:
    """What model.pt is: format, producer, operators with their number of calls, parameters, dtypes, sizes."""
    operators = Counter(call.operator for call in archive.calls)
    described = {
        "kind": archive.kind,
        "detail": archive.detail,
        "bytes": archive.size,
        "unpacked_bytes": archive.unpacked_size,
        "code_bytes": archive.code_size,
        "members": archive.members,
        "format_version": archive.format_version,
        "producer": archive.producer,
        "root_type": archive.root_type,
        "operators": {name: operators[name] for name in sorted(operators)[:OPERATOR_LIMIT]},
        "parameters": archive.parameters,
        "buffers": archive.buffers,
        "dtypes": archive.dtypes,
        "constants": archive.constants,
        "unsafe": archive.unsafe,
        "code_problems": [vars(problem) for problem in archive.code_problems],
    }
    shown: Dict[str, Any] = plain(described, item_limit=OPERATOR_LIMIT)
    return shown


def trial_to_json(trial: Trial) -> Dict[str, Any]:
    """What happened when the model ran, from load to end: the trial's own fields, passes by input and output."""
    described = {
        **vars(trial),
        "load_failure": _failure(trial.load_failure),
        "passes": [_pass(done) for done in trial.passes[:PASS_LIMIT]],
        "unfinished": None if trial.unfinished is None else _pass(trial.unfinished),
    }
    shown: Dict[str, Any] = plain(described, text_limit=ERROR_LIMIT, depth=8)
    return shown


def _pass(done: Pass) -> Dict[str, Any]:
    return {
        "purpose": done.purpose,
        "signal": done.signal,
        "input": {
            "channels": done.channels,
            "samples": done.samples,
            "track_channels": done.track_channels,
            "track_samples": done.track_samples,
        },
        "output": None if done.output is None else _output(done.output),
        "failure": _failure(done.failure),
        "seconds": done.seconds,
        "memory_bytes": done.memory_bytes,
        "first": done.first,
    }


def _output(output: Output) -> Dict[str, Any]:
    return {
        **vars(output),
        "tensors": [dict(vars(tensor)) for tensor in output.tensors],
        "timestamps": None if output.timestamps is None else dict(vars(output.timestamps)),
    }


def _failure(failure: Optional[Failure]) -> Optional[Dict[str, Any]]:
    return None if failure is None else dict(vars(failure))
