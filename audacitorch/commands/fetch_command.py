"""`audacitorch fetch REPO_ID`: the files of a model repo that a check needs, at one revision, and no others."""

from __future__ import annotations

import argparse
from pathlib import Path

from audacitorch.commands.options import add_endpoint_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch fetch`."""
    parser.add_argument("repo_id", metavar="REPO_ID", help="author/name[@revision]")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="where to write it (default: a folder with the repo's name)"
    )
    parser.add_argument(
        "--facts", type=Path, metavar="FILE", help="write the Hub's facts about the repo there, for check --facts"
    )
    add_endpoint_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fetch the repo, and say which revision it was."""
    from audacitorch.hub import Hub, fetch, parse_repo_id

    repo_id, revision = parse_repo_id(arguments.repo_id)
    folder = arguments.output or Path(repo_id.partition("/")[2])
    fetched = fetch(repo_id, revision, folder, hub=Hub(arguments.endpoint))
    if arguments.facts is not None:
        from audacitorch.repo.target import write_facts

        write_facts(fetched, arguments.facts)
    size = sum(file.size for file in fetched.files.values())
    print(f"{fetched.id}@{fetched.revision}: {len(fetched.files)} files, {size:,} bytes in {folder}")
    return 0
