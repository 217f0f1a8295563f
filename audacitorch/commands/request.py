"""`audacitorch request`: what happens to built-in requests, from the issue to the list."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audacitorch.request.events import Event
    from audacitorch.request.repository import Repository

COULD_NOT_CHECK = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands, each with its options."""
    commands = parser.add_subparsers(dest="request_command", metavar="WHAT", required=True)
    triage = commands.add_parser("triage", help="check what an issue asks for, and decide where the request stands")
    _from(triage)
    _registry(triage)
    _hub(triage)
    triage.add_argument("--decision", type=Path, metavar="FILE", help="write the decision there, as JSON")
    triage.add_argument("--report", type=Path, metavar="DIR", help="write the report's formats there")
    triage.add_argument("--dry-run", action="store_true", help="write the decision, and touch nothing on GitHub")
    triage.add_argument("--sandbox", choices=("auto", "process", "container"), default="auto", help="for the model")
    triage.set_defaults(act=_triage)

    apply = commands.add_parser("apply", help="show a decision on its issue: the comment and the label")
    _from(apply)
    apply.add_argument("--decision", type=Path, metavar="FILE", required=True, help="what triage wrote")
    apply.set_defaults(act=_apply)

    accept = commands.add_parser("accept", help="put the examined commit on the list, in a pull request")
    _from(accept)
    _registry(accept)
    _hub(accept)
    accept.add_argument("--decision", type=Path, metavar="FILE", help="the check to accept (default: the last one)")
    accept.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    accept.set_defaults(act=_accept)

    decline = commands.add_parser("decline", help="tell the contributor why not, and close the request")
    decline.add_argument("--issue", type=_number, metavar="N", required=True)
    decline.add_argument("reason", metavar="REASON", help="as the contributor will read it")
    decline.set_defaults(act=_decline)

    obey = commands.add_parser("obey", help="do what a comment says: /accept, /decline REASON")
    obey.add_argument("--event", type=Path, metavar="FILE", help="default: GITHUB_EVENT_PATH")
    obey.set_defaults(issue=None)
    _registry(obey)
    _hub(obey)
    obey.set_defaults(act=_obey)

    listing = commands.add_parser("list", help="the open requests: age, state, verdict, what waits for whom")
    listing.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="default: text")
    listing.set_defaults(act=_list)

    collect = commands.add_parser("collect", help="write requests to files, for a job that holds no token")
    collect.add_argument("--issue", type=_number, metavar="N", help="default: all that could not be checked")
    collect.add_argument(
        "-o", "--output", type=Path, metavar="DIR", required=True, help="one event a request goes there"
    )
    collect.set_defaults(act=_collect)


def run(arguments: argparse.Namespace) -> int:
    """Do what the subcommand says."""
    status: int = arguments.act(arguments)
    return status


def _from(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--event", type=Path, metavar="FILE", help="what GitHub tells (default: GITHUB_EVENT_PATH)")
    source.add_argument("--issue", type=_number, metavar="N", help="the request's issue, asked of GitHub")


def _registry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--registry", type=Path, metavar="DIR", help="default: the checkout's registry")


def _hub(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--endpoint", metavar="URL", help="of the Hub (default: HF_ENDPOINT, or huggingface.co)")


def _number(text: str) -> int:
    value = int(text.lstrip("#"))
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no issue's number")
    return value


def _event(arguments: argparse.Namespace) -> Event:
    import os

    from audacitorch.request.events import Event, EventError, read_event

    if arguments.issue is not None:
        return Event(arguments.issue, "dispatched")
    path = arguments.event or os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        raise EventError("which request? Give --issue N or --event FILE; GITHUB_EVENT_PATH is not set")
    return read_event(Path(path))


def _repository() -> Repository:
    import os

    from audacitorch.github import GitHub
    from audacitorch.request.events import EventError
    from audacitorch.request.repository import Repository

    if os.environ.get("GITHUB_REPOSITORY", "").count("/") != 1:
        raise EventError("which repository? Set GITHUB_REPOSITORY=OWNER/NAME, and GITHUB_TOKEN to a token for it")
    return Repository(GitHub())


def _folder(arguments: argparse.Namespace) -> Path:
    from audacitorch.registry.folder import default_folder

    return arguments.registry or default_folder()


def _triage(arguments: argparse.Namespace) -> int:
    from audacitorch.report.escape import visible
    from audacitorch.request.apply import apply_decision, why_not
    from audacitorch.request.comment import Links, render_request
    from audacitorch.request.decision import write_decision
    from audacitorch.request.record import Record, Run
    from audacitorch.request.triage import triaged

    event = _event(arguments)
    issue = event.issue or _repository().issue(event.number)
    reason = why_not(event, issue)
    if reason is not None:
        print(f"issue {issue.number}: nothing to check: {reason}")
        return 0
    links = Links.from_environment()
    decision = triaged(issue, arguments.endpoint, arguments.sandbox, _folder(arguments))
    decision = decision.with_comment(render_request(decision, Record().with_run(Run.of(decision)), links))
    if arguments.report is not None and decision.report is not None:
        from audacitorch.report.write import write_reports

        write_reports(decision.report, arguments.report)
    if arguments.decision is not None:
        write_decision(decision, arguments.decision)
    sys.stdout.write(f"issue {issue.number}: {decision.state}\n" if arguments.decision else decision.comment)
    if not arguments.dry_run:
        print(visible(apply_decision(_repository(), event, decision, links)))
    return COULD_NOT_CHECK if decision.state == "could-not-check" else 0


def _apply(arguments: argparse.Namespace) -> int:
    from audacitorch.report.escape import visible
    from audacitorch.request.apply import apply_decision
    from audacitorch.request.comment import Links
    from audacitorch.request.decision import DecisionError, failed_decision, read_decision
    from audacitorch.request.events import Issue
    from audacitorch.request.triage import timestamp

    event = _event(arguments)
    try:
        decision = read_decision(arguments.decision)
        if decision.issue != event.number:
            raise DecisionError(f"the decision is about issue {decision.issue}, the event about {event.number}")
    except DecisionError as error:
        # The job that checks has failed: the contributor hears so, and it is tried again.
        print(f"audacitorch: {visible(error)}", file=sys.stderr)
        decision = failed_decision(event.issue or Issue(event.number), timestamp(), str(error))
    print(visible(apply_decision(_repository(), event, decision, Links.from_environment())))
    return 0


def _accept(arguments: argparse.Namespace) -> int:
    from audacitorch.hub import Hub
    from audacitorch.registry.folder import RegistryFolder
    from audacitorch.request.accept import Refused, accept
    from audacitorch.request.commands import Command
    from audacitorch.request.decision import DecisionError, read_decision
    from audacitorch.request.people import may
    from audacitorch.request.record import Run

    event = _event(arguments)
    repository = _repository()
    if event.comment is not None and not may(
        repository, Command("accept"), event.comment, repository.issue(event.number)
    ):
        raise Refused(f"{event.comment.author} has no right to write here, and may not accept")
    checked = None
    if arguments.decision is not None:
        decision = read_decision(arguments.decision)
        if decision.issue != event.number:
            raise DecisionError(f"the decision is about issue {decision.issue}, and issue {event.number} is meant")
        checked = Run.of(decision)
    with Hub(arguments.endpoint, token=False) as hub:
        folder = RegistryFolder(_folder(arguments))
        done = accept(repository, hub, folder, event.number, checked, dry_run=arguments.dry_run)
    where = f"pull request {done.pull}" if done.pull is not None else "no pull request: this was a dry run"
    print(f"{done.repo_id}@{done.revision}: {where}{'' if done.changed else ', as it was'}")
    return 0


def _decline(arguments: argparse.Namespace) -> int:
    from audacitorch.request.decline import decline

    decline(_repository(), arguments.issue, arguments.reason)
    print(f"issue {arguments.issue}: declined")
    return 0


def _obey(arguments: argparse.Namespace) -> int:
    from audacitorch.hub import Hub
    from audacitorch.registry.folder import RegistryFolder
    from audacitorch.report.escape import visible
    from audacitorch.request.spoken import obey

    event = _event(arguments)
    with Hub(arguments.endpoint, token=False) as hub:
        print(visible(obey(_repository(), hub, RegistryFolder(_folder(arguments)), event)))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from audacitorch.report.jsonfile import dumps
    from audacitorch.request.listing import markdown_table, open_requests, text_table

    rows = list(open_requests(_repository()))
    if arguments.format == "json":
        sys.stdout.write(dumps([row.to_json() for row in rows]))
    else:
        sys.stdout.write((text_table if arguments.format == "text" else markdown_table)(rows))
    return 0


def _collect(arguments: argparse.Namespace) -> int:
    import json

    from audacitorch.request.collect import collect

    print(json.dumps(collect(_repository(), arguments.output, arguments.issue)))
    return 0
