"""`audacitorch push`: a model repo checked, then uploaded to the Hub as one commit."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from urllib.parse import urlencode

from audacitorch.commands.options import add_endpoint_argument, add_limit_arguments

REQUESTS = "https://github.com/audacitorch/action/issues/new"
FORM = "built-in-model-request.yml"
#: Findings after which the Hub would not list the repo under the tag.
_WITHOUT_TAG = ("card-tag-missing", "card-front-matter")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch push`."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a model repo")
    parser.add_argument("repo_id", metavar="author/name", help="the repo on the Hub; created if it does not exist")
    add_endpoint_argument(parser)
    parser.add_argument("--private", action="store_true", help="make a new repo private")
    parser.add_argument("--message", default="Upload with audacitorch", metavar="TEXT", help="the commit's message")
    parser.add_argument(
        "--untagged", action="store_true", help="upload without the tag `audacity`, so that nobody finds it yet"
    )
    parser.add_argument("--static", action="store_true", help="check without running the model")
    add_limit_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check, upload, and print where it is: 1 where the check found problems, and nothing was uploaded."""
    from audacitorch.hub import parse_repo_id
    from audacitorch.hub.failures import TargetUnreadable
    from audacitorch.hub.upload import upload
    from audacitorch.safetext import visible

    repo_id, revision = parse_repo_id(arguments.repo_id)
    if revision is not None:
        raise TargetUnreadable("Audacity reads `main` and nothing else: leave the revision out.")
    status = _check(arguments)
    if status != 0:
        return status
    _say_what_the_list_would_show(arguments.folder)
    done = upload(
        arguments.folder,
        repo_id,
        endpoint=arguments.endpoint,
        private=arguments.private,
        message=arguments.message,
    )
    print(f"Uploaded to {visible(done.url)} at {done.commit}.")
    print(f"In Audacity: Model Manager, Add From HuggingFace, {repo_id}")
    print(f"To ask for a place in the built-in list: {request_link(repo_id)}")
    return 0


def _say_what_the_list_would_show(folder: Path) -> None:
    """The remarks on the card's licence, as a check of the repo on the Hub would make them."""
    from audacitorch.facts import README, Repo
    from audacitorch.repo.readme import read_card
    from audacitorch.rules import all_rules
    from audacitorch.safetext import visible

    file = folder / README
    rule = all_rules()["card-licence"]
    for problem in rule.check(Repo("hub"), read_card(file.read_bytes() if file.is_file() else None)):
        print(f"Note: {visible(problem.message)} {rule.hint}", file=sys.stderr)


def request_link(repo_id: str) -> str:
    """The form of a built-in request, filled in as far as the repo's id tells."""
    fields = {"template": FORM, "title": f"Built-in Model Request: {repo_id}", "repo-id": repo_id}
    return f"{REQUESTS}?{urlencode(fields)}"


def _check(arguments: argparse.Namespace) -> int:
    """The exit status of a whole check; what keeps the repo from being uploaded is printed."""
    from audacitorch.check import Options, check
    from audacitorch.repo.model_repo import FolderRepo
    from audacitorch.report.text import render_for
    from audacitorch.trial.starters import worker_starter

    options = {"timeout_seconds": arguments.timeout, "memory_bytes": arguments.memory << 20}
    report = check(
        FolderRepo(arguments.folder),
        Options(static=arguments.static, **options),
        worker_starter(arguments.sandbox),
    )
    if report.exit_status != 0:
        sys.stdout.write(render_for(report, sys.stdout))
        print("Nothing was uploaded.", file=sys.stderr)
        return report.exit_status
    if not arguments.untagged and any(finding.rule in _WITHOUT_TAG for finding in report.findings):
        print(
            "audacitorch: README.md lacks the tag `audacity`, so nobody would find the model. `audacitorch fix "
            "FOLDER` adds it; --untagged uploads without it. Nothing was uploaded.",
            file=sys.stderr,
        )
        return 1
    return 0
