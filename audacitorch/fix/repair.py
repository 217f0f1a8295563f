"""From what the rules find to a draft in which they find less: remedies applied until nothing more changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, List, NoReturn, Optional, Tuple

from audacitorch.check import Options, check
from audacitorch.facts import METADATA, MODEL, README
from audacitorch.findings import Finding
from audacitorch.fix.draft import ATTRIBUTES, Draft
from audacitorch.fix.file_fixes import fixed_attributes, fixed_readme
from audacitorch.fix.metadata_fixes import dump, fix_fields, fixed_encoding, fixed_syntax
from audacitorch.hosts import ANALYZER, EFFECT
from audacitorch.repo.metadata_file import read_metadata
from audacitorch.repo.model_repo import FolderRepo
from audacitorch.rules.archive import CONVERTING

if TYPE_CHECKING:
    from audacitorch.report.model import Report
    from audacitorch.trial.observations import Trial

#: Changes the draft by what a rule found in it; says whether anything changed.
Remedy = Callable[[Draft], bool]

#: Each round removes what hid other findings (bytes, then syntax, then fields); a few more than that end any loop.
_MOST_ROUNDS = 8


def repair(draft: Draft, run: Optional[Callable[[FolderRepo], Report]] = None) -> Tuple[Finding, ...]:
    """Apply every remedy to ``draft`` until none changes anything, and return what a static check still finds.

    ``run`` makes a whole check, where the model may be run: what it returns decides about an `effect_type` that
    forward's declaration contradicts.

    Raises:
        TargetError: a file of the draft can't be read.
    """
    findings = _applied(draft)
    if run is not None and _contradicted(draft) and _put_effect_type(draft, run(FolderRepo(draft.scratch)).trial):
        findings = _applied(draft)
    return findings


def _applied(draft: Draft) -> Tuple[Finding, ...]:
    """Every remedy of what a static check finds, applied; and what it finds at last."""
    for _ in range(_MOST_ROUNDS):
        findings = check(FolderRepo(draft.scratch), Options(static=True), _no_worker).findings
        found = {finding.rule for finding in findings}
        remedies = dict.fromkeys(remedy for rule, remedy in REMEDIES.items() if rule in found)
        changed: List[bool] = [remedy(draft) for remedy in remedies]
        if not any(changed):
            return findings
    return findings


def _no_worker(scratch: str, model: str) -> NoReturn:
    raise AssertionError("a static check starts no worker")


def _encoding(draft: Draft) -> bool:
    fixed = fixed_encoding(draft.text(METADATA) or b"")
    return fixed is not None and draft.write(METADATA, fixed, "Wrote metadata.json as UTF-8 without a byte order mark.")


def _syntax(draft: Draft) -> bool:
    fixed = fixed_syntax(draft.text(METADATA) or b"")
    return fixed is not None and draft.write(METADATA, fixed, "Wrote metadata.json as one JSON object.")


def _fields(draft: Draft) -> bool:
    data = draft.text(METADATA) or b""
    read = read_metadata(data)
    if read.problems:
        return False
    fixed, done = fix_fields(read.fields)
    if fixed.get("effect_type") is None and (effect_type := _effect_type(draft)) is not None:
        fixed["effect_type"] = effect_type
        done.append(f"Wrote `effect_type` as {effect_type}, which is what the model's forward returns.")
    return bool(done) and draft.write(METADATA, dump(fixed, data.decode("utf-8", "replace")), *done)


def _effect_type(draft: Draft) -> Optional[str]:
    """The effect type of a model by what its forward is declared to return; None where that says neither."""
    from audacitorch.archive import read_archive

    model = draft.scratch / MODEL
    if not model.is_file():
        return None
    with model.open("rb") as file:
        returns = read_archive(file, model.stat().st_size).returns
    return {"Tensor": EFFECT, "Tuple[Tensor, Tensor]": ANALYZER}.get(returns or "")


def _contradicted(draft: Draft) -> bool:
    """Whether forward is declared to return what another effect type does."""
    written = read_metadata(draft.text(METADATA) or b"").fields.get("effect_type")
    return written in (EFFECT, ANALYZER) and _effect_type(draft) not in (None, written)


def _put_effect_type(draft: Draft, trial: Optional[Trial]) -> bool:
    """Write the effect type that every output of a trial has.

    A declaration alone does not tell: an effect may return its state as well, and a labeler may lack its times.
    """
    from audacitorch.rules.output import effect_type_of_outputs

    data = draft.text(METADATA) or b""
    fields, found = read_metadata(data).fields, None if trial is None else effect_type_of_outputs(trial)
    if found is None or fields.get("effect_type") == found:
        return False
    sentence = f"Wrote `effect_type` as {found}, which is what the model's results are when it runs."
    return draft.write(METADATA, dump({**fields, "effect_type": found}, data.decode("utf-8", "replace")), sentence)


def _tag(draft: Draft) -> bool:
    fixed = fixed_readme(draft.text(README))
    return fixed is not None and draft.write(README, fixed, "Put the tag `audacity` into README.md's front matter.")


def _lfs(draft: Draft) -> bool:
    sentence = "Told Git LFS to keep *.pt in .gitattributes. After `git lfs install`: `git add --renormalize .`"
    return draft.write(ATTRIBUTES, fixed_attributes(draft.text(ATTRIBUTES)), sentence)


def _backport(draft: Draft) -> bool:
    """Rewrite model.pt for Torch 1.9.0, where that leaves nothing that it can't take."""
    from audacitorch.backport import BackportError, backport

    rewritten = Path(draft.scratch, "backported.pt")
    try:
        result = backport((draft.scratch / MODEL).resolve(), rewritten)
    except BackportError:
        return False
    if result.remaining or not result.changed:
        rewritten.unlink()
        return False
    draft.replace_model(rewritten, "Rewrote model.pt for Torch 1.9.0, as `audacitorch backport` does.")
    return True


def _weights(draft: Draft) -> bool:
    """Rewrite half and double weights as 32-bit float, where the code converts nothing by itself."""
    from audacitorch.archive import read_archive
    from audacitorch.archive.layout import NotAZip
    from audacitorch.archive.members import MemberError
    from audacitorch.archive.pickles import Unreadable
    from audacitorch.fix.weights import float_weights

    model, rewritten = (draft.scratch / MODEL).resolve(), Path(draft.scratch, "float.pt")
    with model.open("rb") as file:
        calls = read_archive(file, model.stat().st_size).calls
    if any(call.operator in CONVERTING for call in calls):
        return False
    try:
        if not float_weights(model, rewritten):
            return False
    except (NotAZip, MemberError, Unreadable):
        return False
    draft.replace_model(rewritten, "Wrote the weights in model.pt as 32-bit float.")
    return True


#: By the rule whose finding a remedy answers, in the order in which they are applied.
REMEDIES: Dict[str, Remedy] = {
    "metadata-encoding": _encoding,
    "metadata-json": _syntax,
    "metadata-field-missing": _fields,
    "metadata-field-type": _fields,
    "metadata-field-count": _fields,
    "metadata-field-value": _fields,
    "metadata-domain-unknown": _fields,
    "metadata-unknown-field": _fields,
    "card-tag-missing": _tag,
    "not-in-lfs": _lfs,
    "weights-dtype": _weights,
    "file-format-too-new": _backport,
    "unknown-operator": _backport,
    "operator-arguments": _backport,
    "unknown-type": _backport,
}
