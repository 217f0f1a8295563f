"""`audacitorch request`: check, answer, accept and list built-in requests."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audacitorch.commands.options import (
    add_endpoint_argument,
    add_format_argument,
    add_registry_argument,
    add_sandbox_argument,
)

if TYPE_CHECKING:
    from audacitorch.github import GitHub
    from audacitorch.request.issue_event import Event

COULD_NOT_CHECK = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands, each with its options."""
    commands = parser.add_subparsers(dest="request_command", metavar="WHAT", required=True)
    triage = commands.add_parser("triage", help="check what an issue asks for, and decide where the request stands")
    _from(triage)
    add_registry_argument(triage)
    add_endpoint_argument(triage)
    triage.add_argument("--decision", type=Path, metavar="FILE", help="write the decision to FILE, as JSON")
    triage.add_argument("--report", type=Path, metavar="DIR", help="write the report to DIR, in all formats")
    triage.add_argument("--dry-run", action="store_true", help="write the decision, and change nothing on GitHub")
    add_sandbox_argument(triage)
    triage.set_defaults(act=_triage)

    apply = commands.add_parser("apply", help="publish a decision on its issue: the comment and the label")
    _from(apply)
    add_endpoint_argument(apply)
    apply.add_argument("--decision", type=Path, metavar="FILE", required=True, help="what triage wrote")
    apply.set_defaults(act=_apply)

    accept = commands.add_parser("accept", help="put the checked commit on the list, in a pull request")
    _from(accept)
    add_registry_argument(accept)
    add_endpoint_argument(accept)
    accept.add_argument("--commit", metavar="SHA", default="", help="the checked commit, as the comment shows it")
    accept.add_argument("--decision", type=Path, metavar="FILE", help="the check to accept (default: the last one)")
    accept.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    accept.set_defaults(act=_accept)

    decline = commands.add_parser("decline", help="decline a request: comment with the reason, and close it")
    decline.add_argument("--issue", type=_number, metavar="N", required=True)
    decline.add_argument("reason", metavar="REASON", help="the reason, as the contributor will read it")
    decline.set_defaults(act=_decline)

    handle = commands.add_parser("handle-comment", help="follow the command in a comment: /accept, /decline REASON")
    handle.add_argument("--event", type=Path, metavar="FILE", help="a workflow's event (default: GITHUB_EVENT_PATH)")
    handle.add_argument(
        "--dry-run", action="store_true", help="only check permission: exit 0 if the author may do this, else 1"
    )
    handle.set_defaults(issue=None)
    add_registry_argument(handle)
    add_endpoint_argument(handle)
    handle.set_defaults(act=_handle_comment)
    _add_views(commands)


def _add_views(commands: Any) -> None:
    """The subcommands that change nothing on GitHub."""
    listing = commands.add_parser("list", help="list the open requests: age, state, verdict, whom each waits for")
    add_format_argument(listing, ("text", "markdown", "json"))
    listing.set_defaults(act=_list)

    collect = commands.add_parser("collect", help="write the requests that are due to files, for a job without a token")
    collect_from = collect.add_mutually_exclusive_group()
    collect_from.add_argument(
        "--issue", type=_number, metavar="N", help="one request (default: all that could not be checked)"
    )
    collect_from.add_argument("--event", type=Path, metavar="FILE", help="the request of this event, if it is due")
    collect.add_argument(
        "-o", "--output", type=Path, metavar="DIR", required=True, help="write one event file for each request there"
    )
    collect.set_defaults(act=_collect)


def run(arguments: argparse.Namespace) -> int:
    """Do what the subcommand says."""
    status: int = arguments.act(arguments)
    return status


def _from(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--event", type=Path, metavar="FILE", help="a workflow's event (default: GITHUB_EVENT_PATH)")
    source.add_argument("--issue", type=_number, metavar="N", help="the request's issue, asked of GitHub")


def _number(text: str) -> int:
    digits = text.lstrip("#")
    if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits[:10]) < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text} is not the number of an issue")
    return int(digits)


def _event(arguments: argparse.Namespace) -> Event:
    import os

    from audacitorch.request.issue_event import Event, EventError, read_event

    if arguments.issue is not None:
        return Event(arguments.issue, "dispatched")
    path = arguments.event or os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        raise EventError("Which request? Give --issue N or --event FILE; GITHUB_EVENT_PATH is not set.")
    return read_event(Path(path))


def _github() -> GitHub:
    import os

    from audacitorch.github import GitHub
    from audacitorch.request.issue_event import EventError

    if os.environ.get("GITHUB_REPOSITORY", "").count("/") != 1:
        raise EventError("Which repository? Set GITHUB_REPOSITORY=OWNER/NAME, and GITHUB_TOKEN to a token for it.")
    return GitHub()


def _folder(arguments: argparse.Namespace) -> Path:
    from audacitorch.registry.folder import default_folder

    return arguments.registry or default_folder()


def _triage(arguments: argparse.Namespace) -> int:
    from audacitorch.github.tracker import IssueTracker
    from audacitorch.request.comment import Links, render_request
    from audacitorch.request.decision import write_decision
    from audacitorch.request.memory import CheckRun, Memory
    from audacitorch.request.respond import apply_decision, why_not
    from audacitorch.request.triage import triaged
    from audacitorch.safetext import visible

    event = _event(arguments)
    issue = event.issue or IssueTracker(_github()).issue(event.number)
    reason = why_not(event, issue)
    if reason is not None:
        print(f"issue {issue.number}: nothing to check: {reason}")
        return 0
    links = Links.from_environment()
    decision = triaged(issue, arguments.endpoint, arguments.sandbox, _folder(arguments))
    decision = decision.with_comment(render_request(decision, Memory().with_run(CheckRun.of(decision)), links))
    if arguments.report is not None and decision.report is not None:
        from audacitorch.report.formats import write_reports

        write_reports(decision.report, arguments.report)
    if arguments.decision is not None:
        write_decision(decision, arguments.decision)
    sys.stdout.write(f"issue {issue.number}: {decision.state}\n" if arguments.decision else decision.comment)
    if not arguments.dry_run:
        print(visible(apply_decision(_github(), event, decision, links, arguments.endpoint)))
    return COULD_NOT_CHECK if decision.state == "could-not-check" else 0


def _apply(arguments: argparse.Namespace) -> int:
    from audacitorch.github.tracker import IssueTracker
    from audacitorch.request.comment import Links
    from audacitorch.request.decision import DecisionError, failed_decision, read_decision, timestamp
    from audacitorch.request.respond import apply_decision
    from audacitorch.safetext import visible

    event, github, links = _event(arguments), _github(), Links.from_environment()
    try:
        decision = read_decision(arguments.decision)
        if decision.issue != event.number:
            raise DecisionError(f"The decision is about issue {decision.issue}, the event about {event.number}.")
        done = apply_decision(github, event, decision, links, arguments.endpoint)
    except DecisionError as error:
        # The job that checks has failed: the contributor reads so, and the check is repeated.
        print(f"audacitorch: {visible(error)}", file=sys.stderr)
        decision = failed_decision(IssueTracker(github).issue(event.number), timestamp(), str(error))
        done = apply_decision(github, event, decision, links, arguments.endpoint)
    print(visible(done))
    return 0


def _accept(arguments: argparse.Namespace) -> int:
    from audacitorch.github.tracker import IssueTracker
    from audacitorch.hub import Hub
    from audacitorch.registry.folder import RegistryFolder
    from audacitorch.request.accept import Refused, accept
    from audacitorch.request.decision import DecisionError, read_decision
    from audacitorch.request.memory import CheckRun
    from audacitorch.request.respond import is_permitted

    event, github = _event(arguments), _github()
    if event.comment is not None and not is_permitted(github, event, IssueTracker(github).issue(event.number)):
        raise Refused(f"{event.comment.author} has no right to write here, and may not accept.")
    run = None
    if arguments.decision is not None:
        decision = read_decision(arguments.decision)
        if decision.issue != event.number:
            raise DecisionError(f"The decision is about issue {decision.issue}, and issue {event.number} is meant.")
        run = CheckRun.of(decision)
    with Hub(arguments.endpoint, token=False) as hub:
        folder = RegistryFolder(_folder(arguments))
        done = accept(github, hub, folder, event.number, run=run, commit=arguments.commit, dry_run=arguments.dry_run)
    where = f"pull request {done.pull}" if done.pull is not None else "no pull request: this was a dry run"
    print(f"{done.repo_id}@{done.revision}: {where}{'' if done.changed else ', as it was'}")
    return 0


def _decline(arguments: argparse.Namespace) -> int:
    from audacitorch.request.respond import decline

    decline(_github(), arguments.issue, arguments.reason)
    print(f"issue {arguments.issue}: declined")
    return 0


def _handle_comment(arguments: argparse.Namespace) -> int:
    from audacitorch.hub import Hub
    from audacitorch.registry.folder import RegistryFolder
    from audacitorch.request.respond import handle_comment
    from audacitorch.safetext import visible

    event = _event(arguments)
    with Hub(arguments.endpoint, token=False) as hub:
        folder = RegistryFolder(_folder(arguments))
        handled = handle_comment(_github(), hub, folder, event, dry_run=arguments.dry_run)
    print(visible(handled.text))
    return 1 if arguments.dry_run and not handled.permitted else 0


def _list(arguments: argparse.Namespace) -> int:
    from audacitorch.report.jsonfile import dumps
    from audacitorch.request.open_requests import markdown_table, open_requests, text_table

    rows = list(open_requests(_github()))
    if arguments.format == "json":
        sys.stdout.write(dumps([row.to_json() for row in rows]))
    else:
        sys.stdout.write((text_table if arguments.format == "text" else markdown_table)(rows))
    return 0


def _collect(arguments: argparse.Namespace) -> int:
    import json

    from audacitorch.request.open_requests import collect

    event = _event(arguments) if arguments.issue is not None or arguments.event is not None else None
    print(json.dumps(collect(_github(), arguments.output, event)))
    return 0
