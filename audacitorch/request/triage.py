"""From an issue to a decision: which repo is meant, what commit that is, and whether its model passes.

Holds no token, and speaks to nobody but the Hub; the model runs in the sandbox that the caller chose.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Iterable, Optional, Tuple
from urllib.parse import urlsplit

from audacitorch.findings import ALPHA
from audacitorch.hub.failures import (
    AccessDenied,
    DisabledRepo,
    GatedRepo,
    HubError,
    InvalidRepoId,
    RepoNotFound,
    RevisionNotFound,
    TargetUnreadable,
)
from audacitorch.report.model import FAIL, PASS, Report
from audacitorch.request.decision import Decision, Reason, failed_decision
from audacitorch.request.events import Issue
from audacitorch.request.form import find_repo
from audacitorch.request.known import MOST_COMPARED, known_ids, nearest
from audacitorch.request.mentions import Mention, Question
from audacitorch.request.states import COULD_NOT_CHECK, NEEDS_CHANGES, NEEDS_INFO, READY

if TYPE_CHECKING:
    from audacitorch.hub import Hub
    from audacitorch.trial.session import WorkerStarter

MAIN = "main"
#: A contributor waits for the answer, and what could not be checked is tried again later anyway.
_TRIES, _LONGEST_WAIT = 3, 60.0
_BY_VERDICT = {PASS: READY, FAIL: NEEDS_CHANGES}


@dataclass(frozen=True)
class Triage:
    """Decides about issues.

    Args:
        hub: the Hub to ask, without a token: Audacity has none either.
        start_worker: makes the worker in which a model runs.
        registry: the registry's folder, for ids that are known.
    """

    hub: Hub
    start_worker: WorkerStarter
    registry: Path

    def decide(self, issue: Issue) -> Decision:
        """The decision about one issue. Whatever goes wrong on our side is one as well, and no exception."""
        now = timestamp()
        try:
            found = find_repo(issue.body, issue.title, [urlsplit(self.hub.endpoint).netloc])
            if isinstance(found, Question):
                return self._decision(issue, now, NEEDS_INFO, self._asked(found))
            try:
                return self._examined(issue, now, found)
            except HubError as error:
                return self._decision(issue, now, COULD_NOT_CHECK, _hub_failure(error), found.repo_id)
        except Exception as error:
            # A request is never left without an answer, and never blamed for what is our mistake.
            return failed_decision(issue, now, f"{type(error).__name__}: {error}")

    def _examined(self, issue: Issue, now: str, asked: Mention) -> Decision:
        try:
            report = self._report(asked)
        except TargetUnreadable as error:
            return self._decision(issue, now, *self._unreadable(asked, error), asked.repo_id)
        state, why = _BY_VERDICT.get(report.verdict, COULD_NOT_CHECK), None
        if state == READY and asked.revision not in (None, MAIN):
            head = self.hub.repo_details(str(report.target.id), MAIN).sha
            if head != report.target.revision:
                state, why = NEEDS_CHANGES, Reason("not-main", (str(asked.revision), head))
        return self._decision(issue, now, state, why, report.target.id, report)

    def _report(self, asked: Mention) -> Report:
        from audacitorch.check import Options, check
        from audacitorch.hub import fetch
        from audacitorch.repo.model_repo import FolderRepo

        with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
            fetched = fetch(asked.repo_id, asked.revision, scratch, hub=self.hub)
            # The builds that read the built-in list are the ones whose verdict counts.
            return check(FolderRepo(Path(scratch), fetched), Options(hosts=(ALPHA,)), self.start_worker)

    def _unreadable(self, asked: Mention, error: TargetUnreadable) -> Tuple[str, Reason]:
        """What the Hub's word on a repo means for the request."""
        if isinstance(error, (RepoNotFound, InvalidRepoId)):
            return NEEDS_INFO, Reason("not-found", (asked.repo_id,), self._near([asked.repo_id]))
        if isinstance(error, RevisionNotFound):
            return NEEDS_INFO, Reason("revision", (asked.repo_id, asked.revision or MAIN))
        if isinstance(error, GatedRepo):
            return NEEDS_CHANGES, Reason("gated", (asked.repo_id,))
        if isinstance(error, (AccessDenied, DisabledRepo)):
            return NEEDS_CHANGES, Reason("refused", (asked.repo_id,))
        return COULD_NOT_CHECK, _hub_failure(error)

    def _asked(self, question: Question) -> Reason:
        near = question.near
        if question.kind in ("malformed", "space", "dataset"):
            near = tuple(dict.fromkeys(chain(near, self._near(question.found))))
        about = tuple(text[:1000] for text in question.found[:5])
        return Reason(question.kind, about, tuple(text[:1000] for text in near[:5]))

    def _near(self, asked: Iterable[str]) -> Tuple[str, ...]:
        ids = list(islice(known_ids(self.registry, self.hub), MOST_COMPARED))
        names = [text.split("?")[0].rstrip("/").rpartition("://")[2] for text in asked]
        return tuple(chain.from_iterable(nearest("/".join(name.split("/")[-2:]), ids) for name in names))

    @staticmethod
    def _decision(
        issue: Issue,
        now: str,
        state: str,
        reason: Optional[Reason],
        repo_id: Optional[str] = None,
        report: Optional[Report] = None,
    ) -> Decision:
        revision = None if report is None else report.target.revision
        return Decision(issue.number, state, now, repo_id, revision, reason, report, issue.labels)


def _hub_failure(error: HubError) -> Reason:
    return Reason("hub", (str(error)[:1000],))


def triaged(issue: Issue, endpoint: Optional[str], sandbox: str, registry: Path) -> Decision:
    """The decision about one issue: the Hub at ``endpoint``, the model in ``sandbox``; never an exception."""
    from audacitorch.hub import Hub
    from audacitorch.trial.session import worker_starter

    try:
        # Audacity asks without a token, so what it can't have must not pass here.
        with Hub(endpoint, token=False, tries=_TRIES, max_wait=_LONGEST_WAIT) as hub:
            return Triage(hub, worker_starter(sandbox), registry).decide(issue)
    except HubError as error:  # its address is no address, or the Hub is switched off here
        return Decision(issue.number, COULD_NOT_CHECK, timestamp(), reason=_hub_failure(error), present=issue.labels)


def timestamp() -> str:
    """Now, in UTC: ``2024-05-01T10:00:00Z``."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
