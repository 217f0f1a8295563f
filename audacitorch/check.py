"""From a target to a report: gather facts, judge them by the rules, say what was found."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Mapping, Optional, Tuple, Union

from audacitorch.errors import AudacitorchError
from audacitorch.facts import METADATA, MODEL, README, Archive, Card, Facts, Metadata, Unavailable
from audacitorch.findings import CouldNotRun, Finding
from audacitorch.hosts import DEFAULT_HOST, Host
from audacitorch.repo.model_repo import Digest, FolderRepo, TargetError
from audacitorch.report.model import Report, Target
from audacitorch.time_limit import time_limit
from audacitorch.trial.plan import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from audacitorch.hear.clips import Clip
    from audacitorch.hear.listening import Heard, Listening
    from audacitorch.rules import Rule
    from audacitorch.rules.runner import Outcome
    from audacitorch.trial.observations import Trial
    from audacitorch.trial.plan import Plan
    from audacitorch.trial.progress import Seen, Watch
    from audacitorch.trial.session import TrialSession
    from audacitorch.trial.starters import WorkerStarter

#: Findings that make running the model pointless (it can't load) or unwise (it means harm).
CONDEMNED = ("unsafe-archive", "unusual-code", "file-access")
NOT_RUNNABLE = ("missing-file", "lfs-pointer", "not-torchscript", "model-too-large")
#: The host resamples anything to the model's rate; without a usable rate the trial takes the commonest.
_ASSUMED_RATE = 44100
_HIGHEST_RATE = 396000
#: Why there is no trial where this machine can't make one.
_UNAVAILABLE = "the model could not be run"


class UnknownRule(AudacitorchError, ValueError):
    """A rule was named that does not exist."""

    exit_status = 2


@dataclass(frozen=True)
class Options:
    """What a check is asked to do. ``hosts`` are those that the overall verdict speaks for.

    With ``sounds``, the report can be heard: ``clips`` and the standard clips go through the model after its trial.
    """

    hosts: Tuple[Host, ...] = (DEFAULT_HOST,)
    static: bool = False
    strict: bool = False
    ignore: Tuple[str, ...] = ()
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    sounds: bool = False
    clips: Tuple[Clip, ...] = ()


def check(
    repo: FolderRepo, options: Options, start_worker: WorkerStarter, watch: Watch = lambda plan: lambda event: None
) -> Report:
    """Check a model repo that lies in a folder.

    ``start_worker`` makes the worker in which the model runs, unless ``options.static``. It is started first, so that
    it imports torch while the static work is done here. ``watch`` is called once when the model runs, and what it
    returns with each event of the worker's.

    Raises:
        TargetError: a file of the repo can't be read.
        UnknownRule: ``options.ignore`` names an unknown rule.
    """
    with ExitStack() as stack:
        session: Optional[TrialSession] = None
        failure: Optional[CouldNotRun] = None
        if not options.static and repo.has(MODEL):
            from audacitorch.trial.protocol import TrialUnavailable
            from audacitorch.trial.session import TrialSession

            try:
                session = stack.enter_context(TrialSession(start_worker, repo.path(MODEL)))
            except TrialUnavailable as error:
                failure = CouldNotRun("trial", str(error))
        return _Check(repo, options, watch).run(session, failure)


@dataclass
class _Check:
    """One check in progress."""

    repo: FolderRepo
    options: Options
    watch: Watch
    digest: Digest = field(init=False)
    heard: Tuple[Heard, ...] = ()
    seen: Seen = lambda event: None

    def run(self, session: Optional[TrialSession], failure: Optional[CouldNotRun]) -> Report:
        from audacitorch.rules import all_rules
        from audacitorch.rules.runner import Outcome, run_rules, run_static_rules

        rules = all_rules()
        _require_known(self.options.ignore, rules)
        outcome = Outcome(could_not_run=[failure] if failure else [])
        facts = self.static_facts(outcome)
        with time_limit(self.options.timeout_seconds, "Judging the model's files"):
            run_static_rules(facts, outcome)
        self.digest = Digest(self.repo, self.options.static)
        trial = self.trial(session, facts, outcome)
        if isinstance(facts.archive, Archive) and trial.operators:
            compiled = replace(facts.archive, compiled=tuple(trial.operators))
            if not outcome.has_error("file-access"):  # judged once more, on Torch's own list
                run_rules([rules["file-access"]], replace(facts, archive=compiled), outcome)
        run_rules([rule for rule in rules.values() if not rule.static], replace(facts, trial=_judged(trial)), outcome)
        return self.report(facts, trial, outcome)

    def static_facts(self, outcome: Outcome) -> Facts:
        """Everything that is known without running the model."""
        return Facts(
            repo=self.repo.facts,
            card=self.collected("card", self.card, outcome),
            metadata=self.collected("metadata", self.metadata, outcome),
            archive=self.collected("archive", self.archive, outcome),
            trial=Unavailable("the model was not run"),
        )

    def collected(self, name: str, collect: Callable[[], Any], outcome: Outcome) -> Any:
        """What a collector found. One that raises is our fault: its rules are skipped, and the others go on.

        So is one that takes longer than ``--timeout``: readers take linear time, and this is the last resort.
        """
        try:
            with time_limit(self.options.timeout_seconds, f"Reading the {name}"):
                return collect()
        except TargetError:
            raise
        except OSError as error:
            raise TargetError(f"the {name} can't be read: {error.strerror}") from error
        except Exception as error:
            told = str(error) if isinstance(error, AudacitorchError) else f"{type(error).__name__}: {error}"
            outcome.could_not_run.append(CouldNotRun(name, told))
            return Unavailable(f"the {name} could not be read")

    def card(self) -> Card:
        """README.md's front matter."""
        from audacitorch.repo.readme import MAX_BYTES, read_card

        return read_card(self.repo.read(README, MAX_BYTES) if self.repo.has(README) else None)

    def metadata(self) -> Union[Metadata, Unavailable]:
        """metadata.json, or that there is none."""
        from audacitorch.repo.metadata_file import MAX_BYTES, read_metadata

        if not self.repo.has(METADATA):
            return Unavailable(f"{METADATA} is missing")
        return read_metadata(self.repo.read(METADATA, MAX_BYTES))

    def archive(self) -> Union[Archive, Unavailable]:
        """model.pt as a file, or that there is none."""
        from audacitorch.archive import read_archive

        if not self.repo.has(MODEL):
            return Unavailable(f"{MODEL} is missing")
        with self.repo.open(MODEL) as file:
            return read_archive(file, self.repo.facts.files[MODEL].size)

    def trial(self, session: Optional[TrialSession], facts: Facts, outcome: Outcome) -> Trial:
        """What the trial saw, or why there was none."""
        from audacitorch.trial.observations import FINISHED, REFUSED, SKIPPED, Trial

        for names, ended, because in ((CONDEMNED, REFUSED, "condemns it"), (NOT_RUNNABLE, SKIPPED, "must pass first")):
            found = [name for name in names if outcome.has_error(name)]
            if found:
                return Trial(ended, reason=f"{found[0]} {because}")
        undecided = [name for name in (*CONDEMNED, "archive") if name in outcome.undecided()]
        if undecided:
            return Trial(SKIPPED, reason=f"{undecided[0]} could not be decided")
        if self.options.static:
            return Trial(SKIPPED, reason="this was a static check")
        if session is None:
            return Trial(SKIPPED, reason=_UNAVAILABLE)
        from audacitorch.trial.protocol import TrialUnavailable

        try:
            plan = self.plan(facts)
            listening: List[Listening] = []
            trial = session.run(
                plan, lambda: listening.extend(self.prepare_sounds(plan)), lambda event: self.seen(event)
            )
            if listening and trial.ended == FINISHED:
                metadata = facts.metadata.fields if isinstance(facts.metadata, Metadata) else {}
                self.heard = listening[0].hear(session, trial, plan, metadata)
            return trial
        except TrialUnavailable as error:
            outcome.could_not_run.append(CouldNotRun("trial", str(error)))
            return Trial(SKIPPED, reason=_UNAVAILABLE)

    def prepare_sounds(self, plan: Plan) -> Iterator[Listening]:
        """The clips for a report that can be heard, while the model runs; none where nobody asked."""
        self.seen = self.watch(plan)
        if self.options.sounds:
            from audacitorch.hear.clips import standard_clips
            from audacitorch.hear.listening import Listening

            yield Listening([*self.options.clips, *standard_clips(plan.sample_rate, plan.multichannel)])

    def plan(self, facts: Facts) -> Plan:
        """The passes for what the metadata say, with usual values in place of what they do not."""
        from audacitorch.trial.plan import Plan, standard_passes

        fields: Mapping[str, Any] = facts.metadata.fields if isinstance(facts.metadata, Metadata) else {}
        calls = facts.archive.calls if isinstance(facts.archive, Archive) else ()
        rate, multichannel = fields.get("sample_rate"), fields.get("multichannel") is True
        usable = type(rate) is int and 0 < rate < _HIGHEST_RATE
        return Plan(
            model=str(self.repo.path(MODEL)),
            effect_type=str(fields.get("effect_type")),
            sample_rate=rate if usable else _ASSUMED_RATE,  # type: ignore[arg-type]
            multichannel=multichannel,
            seconds=self.options.timeout_seconds,
            memory_bytes=self.options.memory_bytes,
            passes=standard_passes(multichannel),
            operators=tuple(sorted({call.operator for call in calls})),
            listens=self.options.sounds,
        )

    def report(self, facts: Facts, trial: Trial, outcome: Outcome) -> Report:
        """Everything that was found, as one value."""
        from audacitorch.report.content import excerpts

        ignored = set(self.options.ignore)
        found = self.collected("lines of the code", lambda: self.with_origins(outcome.findings), outcome)
        findings = outcome.findings if isinstance(found, Unavailable) else found
        model = self.repo.facts.files.get(MODEL)
        return Report(
            target=Target(
                source=self.repo.facts.source,
                id=self.repo.facts.id or self.repo.folder.resolve().name or None,
                revision=self.repo.facts.revision,
                model_sha256=self.digest.value(),
                model_bytes=None if model is None else model.size,
            ),
            findings=tuple(sorted((f for f in findings if f.rule not in ignored), key=lambda found: found.sort_key)),
            skipped=tuple(sorted(outcome.skipped, key=lambda skipped: skipped.rule)),
            could_not_run=tuple(sorted(outcome.could_not_run, key=lambda failure: failure.rule)),
            ignored=tuple(sorted(ignored & {f.rule for f in outcome.findings})),
            hosts_wanted=self.options.hosts,
            date=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            strict=self.options.strict,
            static=self.options.static,
            trial=trial,
            metadata=facts.metadata if isinstance(facts.metadata, Metadata) else None,
            archive=facts.archive.summary() if isinstance(facts.archive, Archive) else None,
            heard=self.heard,
            excerpts=excerpts(self.repo, outcome.findings),
        )

    def with_origins(self, findings: List[Finding]) -> List[Finding]:
        """The findings with the lines of the author's own code."""
        from audacitorch.rules.runner import with_origins

        if not self.repo.has(MODEL):
            return findings
        with self.repo.open(MODEL) as file:
            return with_origins(findings, file, self.repo.facts.files[MODEL].size)


def _judged(trial: Trial) -> Union[Trial, Unavailable]:
    """The trial as rules get it."""
    if not trial.not_begun:
        return trial
    return Unavailable(trial.reason if trial.reason == _UNAVAILABLE else f"the model was not run: {trial.reason}")


def _require_known(names: Tuple[str, ...], rules: Mapping[str, Rule]) -> None:
    for name in names:
        if name not in rules:
            near = get_close_matches(name, rules, n=1)
            raise UnknownRule(f"no rule is called {name}" + (f": did you mean {near[0]}?" if near else ""))
