"""From an issue to a decision: which repo is meant, what commit that is, and whether its model passes.

Holds no token, and speaks to nobody but the Hub. Reading and running the model are the work of another process, which
is ended when its time is up: one request can't hold up others, or go without an answer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.facts import Repo
from audacitorch.github.tracker import Issue
from audacitorch.hosts import LIST_HOST
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
from audacitorch.request import COULD_NOT_CHECK, NEEDS_CHANGES, NEEDS_INFO, READY, Reason
from audacitorch.request.decision import LARGEST_FILE, Decision, failed_decision, is_ready, plan_of, timestamp
from audacitorch.request.issue_event import find_repo
from audacitorch.request.mentions import Mention, Question

if TYPE_CHECKING:
    from audacitorch.hub import Hub

MAIN = "main"
#: Seconds for a repo's download, and for its check; what takes longer costs its own request an answer, and no other.
FETCH_SECONDS, CHECK_SECONDS = 600.0, 900.0
#: A contributor waits for the answer, and what could not be checked is tried again later anyway.
_TRIES, _LONGEST_WAIT = 3, 60.0
_SECONDS_TO_END = 5.0
_BY_VERDICT = {PASS: READY, FAIL: NEEDS_CHANGES}
#: The most ids that one misspelled id is compared with, and so of the Hub's pages that are read for it.
_MOST_COMPARED = 5_000
_MOST_SHOWN = 3
_LONGEST_COMPARED = 200
_LIKE_ENOUGH = 0.75

#: Checks the files of a repo that was fetched into a folder.
Checker = Callable[[Path, Repo], Report]


class CheckTimeout(AudacitorchError):
    """A check was ended because its time was up."""

    exit_status = 3


class CheckFailed(AudacitorchError):
    """A check ended without a report: a mistake of ours."""

    exit_status = 3


@dataclass(frozen=True)
class Triage:
    """Decides about issues.

    Args:
        hub: the Hub to ask, without a token: Audacity has none either.
        check: checks what was fetched.
        registry: the registry's folder, for ids that are known.
    """

    hub: Hub
    check: Checker
    registry: Path

    def decide(self, issue: Issue) -> Decision:
        """The decision about one issue. Whatever goes wrong on our side is a decision as well, and no exception."""
        now = timestamp()
        try:
            found = find_repo(issue.body, issue.title, self.hub.endpoint)
            if isinstance(found, Question):
                return self._decision(issue, now, NEEDS_INFO, self._asked(found))
            try:
                return self._checked(issue, now, found)
            except HubError as error:
                return self._decision(issue, now, COULD_NOT_CHECK, _hub_failure(error), found.repo_id)
            except CheckTimeout:
                return self._decision(issue, now, COULD_NOT_CHECK, Reason("too-long", (found.repo_id,)), found.repo_id)
        except Exception as error:
            # A request is never left without an answer, and never blamed for what is our mistake.
            return failed_decision(issue, now, f"{type(error).__name__}: {error}")

    def _checked(self, issue: Issue, now: str, asked: Mention) -> Decision:
        try:
            report = self._report(asked)
        except TargetUnreadable as error:
            return self._decision(issue, now, *self._unreadable(asked, error), asked.repo_id)
        state, why = _BY_VERDICT.get(report.verdict, COULD_NOT_CHECK), None
        if state == READY and not is_ready(report):
            state, why = COULD_NOT_CHECK, Reason("internal", ("the model was not run to its end",))
        if state == READY and asked.revision not in (None, MAIN):
            head = self.hub.repo_details(str(report.target.id), MAIN).sha
            if head != report.target.revision:
                state, why = NEEDS_CHANGES, Reason("not-main", (str(asked.revision), head))
        return self._decision(issue, now, state, why, report.target.id, report)

    def _report(self, asked: Mention) -> Report:
        from audacitorch.hub import fetch

        with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
            folder = Path(scratch) / "repo"
            fetched = fetch(asked.repo_id, asked.revision, folder, hub=self.hub, seconds=FETCH_SECONDS)
            return self.check(folder, fetched)

    def _unreadable(self, asked: Mention, error: TargetUnreadable) -> Tuple[str, Reason]:
        """What the Hub's answer about a repo means for the request."""
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
        ids = list(islice(self._known_ids(), _MOST_COMPARED))
        names = [text.split("?")[0].rstrip("/").rpartition("://")[2] for text in asked]
        return tuple(chain.from_iterable(nearest("/".join(name.split("/")[-2:]), ids) for name in names))

    def _known_ids(self) -> Iterator[str]:
        """The ids of the registry's records, then what the Hub lists, as far as it answers."""
        models = self.registry / "models"
        with suppress(OSError):
            for author in sorted(entry.name for entry in os.scandir(models) if entry.is_dir()):
                for name in sorted(os.listdir(models / author)):
                    if name.endswith(".json"):
                        yield f"{author}/{name[:-5]}".replace("~", "")
        with suppress(HubError):  # a suggestion less
            for entry in self.hub.list_models():
                yield str(entry["id"])

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
        return Decision(issue.number, state, now, repo_id, revision, reason, report, issue.labels, plan=plan_of(issue))


def _hub_failure(error: HubError) -> Reason:
    return Reason("hub", (str(error)[:1000],))


def nearest(asked: str, ids: Iterable[str]) -> Tuple[str, ...]:
    """The known ids that ``asked`` may be a misspelling of, the most similar first.

    Compared in lower case: the whole id, or the name alone if no author was named or the name is the same.
    """
    wanted = asked.partition("@")[0].strip()[:_LONGEST_COMPARED].lower()
    by_id: Dict[str, str] = {}
    by_name: Dict[str, List[str]] = {}
    for repo_id in ids:
        by_id.setdefault(repo_id.lower(), repo_id)
        by_name.setdefault(repo_id.partition("/")[2].lower(), []).append(repo_id)
    author, slash, name = wanted.partition("/")
    name = name if slash else author
    found = [by_id[match] for match in get_close_matches(wanted, by_id, _MOST_SHOWN, _LIKE_ENOUGH)]
    found += by_name.get(name, [])
    if not slash:
        found += [repo_id for match in get_close_matches(name, by_name, 1, _LIKE_ENOUGH) for repo_id in by_name[match]]
    return tuple(dict.fromkeys(found))[:_MOST_SHOWN]


def checker(sandbox: str, seconds: float = CHECK_SECONDS) -> Checker:
    """A checker that runs `audacitorch check`, for the hosts that read the list, and ends it after ``seconds``.

    The checker raises CheckTimeout where the time was up, CheckFailed where there is no report.
    """

    def check(folder: Path, repo: Repo) -> Report:
        from audacitorch.repo.target import write_facts

        facts, written = folder.with_name("facts.json"), folder.with_name("report")
        write_facts(repo, facts)
        words = [sys.executable, "-m", "audacitorch", "check", "--sandbox", sandbox, "--host", LIST_HOST.name]
        words += ["--facts", str(facts), "--report", str(written), "--", str(folder)]
        log = folder.with_name("check.log")
        with log.open("wb") as output:
            _run(words, output.fileno(), seconds)
        try:
            with (written / "report.json").open("rb") as file:
                return Report.load(file.read(LARGEST_FILE).decode("utf-8"))
        except (OSError, ValueError) as error:
            said = log.read_bytes()[-1000:].decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise CheckFailed(said or str(error)) from error

    return check


def _run(words: List[str], output: int, seconds: float) -> None:
    """Run a program in a session of its own, and end all of it when the time is up."""
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    ) as child:
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(child.pid, signal.SIGTERM)
                child.wait(_SECONDS_TO_END)
            raise CheckTimeout(f"The check took longer than {seconds:.0f} seconds.") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def triaged(issue: Issue, endpoint: Optional[str], sandbox: str, registry: Path) -> Decision:
    """The decision about one issue: the Hub at ``endpoint``, the model in ``sandbox``; never an exception."""
    from audacitorch.hub import Hub

    try:
        # Audacity asks without a token, so what it can't have must not pass here.
        with Hub(endpoint, token=False, tries=_TRIES, max_wait=_LONGEST_WAIT) as hub:
            return Triage(hub, checker(sandbox), registry).decide(issue)
    except HubError as error:  # its address is not an address, or the Hub is switched off here
        return Decision(
            issue.number, COULD_NOT_CHECK, timestamp(), reason=_hub_failure(error), present=issue.labels,
            plan=plan_of(issue),
        )  # fmt: skip
