"""`audacitorch registry`: the models of the Hub that are tagged for Audacity, indexed and tested; the built-in list."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from audacitorch.commands.options import (
    add_endpoint_argument,
    add_format_argument,
    add_registry_argument,
    positive_integer,
)
from audacitorch.commands.registry_trials import add_test_arguments, say, test_models
from audacitorch.safetext import visible

if TYPE_CHECKING:
    from datetime import datetime

    from audacitorch.registry.builtin_list import ListUpdate
    from audacitorch.registry.folder import RegistryFolder

#: Lines about single repos that are printed.
_MOST_LINES = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of `audacitorch registry`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    refresh = _action(actions, "refresh", "bring the records up to date with the Hub")
    test = _action(actions, "test", "run the models that have not been run")
    status = _action(actions, "status", "say what is new, changed, broken and quarantined, and why")
    publish = _action(actions, "publish", "make the built-in list, and upload it")
    site = _action(actions, "site", "write the catalogue: the registry as a site of static pages")
    for action in (refresh, test, publish):
        action.add_argument(
            "--publish", metavar="REPO_ID", help="upload the built-in list, in one commit, if it changed"
        )
        action.add_argument(
            "--confirm-removals", action="store_true", help="confirm that this many models are to be removed"
        )
    refresh.add_argument("--workers", type=positive_integer, metavar="N", help="repos to examine at once")
    refresh.add_argument(
        "--confirm-missing", action="store_true", help="confirm that this many repos are missing from the Hub's listing"
    )
    merge = _action(
        actions, "merge", "merge two versions of a file in the registry, as a merge driver of git", folder=False
    )
    for name, what in (("base", "the common ancestor"), ("ours", "our version, which is overwritten"), ("theirs", "")):
        merge.add_argument(name, type=Path, help=what or "the other version")
    add_test_arguments(test)
    status.add_argument(
        "--since",
        metavar="DATE",
        help="a time such as 2024-05-01T10:00:00Z (default: the last run that changed anything)",
    )
    add_format_argument(status, ("text", "markdown"))
    status.add_argument("--issues", metavar="OWNER/REPO", help="keep an issue on GitHub for each broken built-in")
    site.add_argument("--address", metavar="URL", help="where the site will be, for its feed and badges")
    site.add_argument(
        "-o", "--output", type=Path, default=Path("site"), metavar="DIR", help="where to write it (default: site)"
    )


def _action(actions: Any, name: str, summary: str, folder: bool = True) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:]
    )
    if not folder:
        return action
    add_registry_argument(action)
    add_endpoint_argument(action)
    return action


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked."""
    from audacitorch.registry import now
    from audacitorch.registry.folder import RegistryFolder, default_folder

    if arguments.action == "merge":
        from audacitorch.registry.merging import merge_files

        return merge_files(arguments.base, arguments.ours, arguments.theirs)
    path = arguments.registry or default_folder()
    if arguments.action == "refresh":
        path.mkdir(parents=True, exist_ok=True)
    actions: Dict[str, Callable[[argparse.Namespace, RegistryFolder, datetime], int]] = {
        "refresh": _refresh,
        "test": _test,
        "status": _status,
        "publish": _publish,
        "site": _site,
    }
    return actions[arguments.action](arguments, RegistryFolder(path), now())


def _refresh(arguments: argparse.Namespace, folder: RegistryFolder, moment: datetime) -> int:
    from audacitorch.hub import Hub
    from audacitorch.registry.refresh import WORKERS, refresh

    with Hub(arguments.endpoint) as hub:
        done = refresh(folder, hub, moment, arguments.workers or WORKERS, confirmed=arguments.confirm_missing)
    for odd in done.odd:
        say(odd)
    for repo_id, why in list(done.why.items())[:_MOST_LINES]:
        say(f"{repo_id} could not be looked at and stays as it was: {why}")
    if len(done.why) > _MOST_LINES:
        say(f"and {len(done.why) - _MOST_LINES:,} more")
    for name in done.missing_builtins:
        say(f"the Hub's listing lacks the built-in model {name}")
    if done.fault:
        say(f"not complete: {done.fault}")
    print(f"{done.listed:,} listed, {done.unchanged:,} unchanged, {done.written:,} written, {done.missing:,} missing")
    return _built_in(arguments, folder, moment) or done.exit_status


def _test(arguments: argparse.Namespace, folder: RegistryFolder, moment: datetime) -> int:
    status = test_models(arguments, folder, moment)
    if arguments.plan or arguments.results:
        return status
    return _built_in(arguments, folder, moment) or status


def _status(arguments: argparse.Namespace, folder: RegistryFolder, moment: datetime) -> int:
    from audacitorch.registry import RegistryError, moment_of
    from audacitorch.registry.status import RENDERERS, status

    try:
        since = moment_of(arguments.since) if arguments.since else None
    except ValueError as error:
        raise RegistryError(f"{arguments.since} is not a date: write it like 2024-05-01T10:00:00Z") from error
    found = status(folder, since, moment)
    sys.stdout.write(RENDERERS[arguments.format](found))
    if arguments.issues:
        _keep_issues(arguments.issues, found)
    return 0


def _keep_issues(repository: str, found: Any) -> None:
    """An issue for each broken built-in; none where issues are switched off, as they are in a new fork."""
    from audacitorch.github import GitHub, GitHubError
    from audacitorch.registry.issues import keep_issues

    with GitHub(repository) as github:
        try:
            for done in keep_issues(github, found.built_in, found.held):
                say(done)
        except GitHubError as error:
            if error.status != 410:
                raise
            say(f"Issues are switched off in {repository}: none was opened or closed.")


def _publish(arguments: argparse.Namespace, folder: RegistryFolder, moment: datetime) -> int:
    status = _built_in(arguments, folder, moment, tell=True)
    for one in folder.unreadable:
        say(str(one))
    return status or (3 if folder.unreadable else 0)


def _built_in(arguments: argparse.Namespace, folder: RegistryFolder, moment: datetime, tell: bool = False) -> int:
    """Make the built-in list, and upload it if that was asked for; 1 where a person must look at it first."""
    from audacitorch.registry.builtin_list import TooManyRemovals, curate

    try:
        done = curate(folder, moment, confirmed=arguments.confirm_removals)
        _tell_list(done, tell)
        if arguments.publish:
            _upload(arguments, folder)
    except TooManyRemovals as stop:
        for line in str(stop).splitlines():
            say(line)
        return stop.exit_status
    return 0


def _tell_list(done: ListUpdate, tell: bool) -> None:
    for name in done.added:
        print(f"on the list: {name}")
    for name in done.removed:
        why = next((one.reason for one in done.builtin_states if name in (one.named, one.id)), "")
        print(f"off the list: {name}{f': {visible(why)}' if why else ''}")
    if tell and not (done.added or done.removed):
        print("the list has not changed")


def _upload(arguments: argparse.Namespace, folder: RegistryFolder) -> None:
    from audacitorch.hub import Hub
    from audacitorch.hub.api import token_from
    from audacitorch.registry.publication import publish

    token: Optional[str] = token_from(None)
    with Hub(arguments.endpoint, token if token is not None else False) as hub:
        commit = publish(folder, hub, arguments.publish, token, confirmed=arguments.confirm_removals)
    print(f"published: {visible(commit)}" if commit else f"{arguments.publish} has this list already")


def _site(arguments: argparse.Namespace, folder: RegistryFolder, moment: datetime) -> int:
    from audacitorch.catalogue.site import ADDRESS, write_site

    count = write_site(folder, arguments.output, arguments.address or ADDRESS)
    print(f"{count:,} models in {arguments.output / 'index.html'}")
    return 0
