"""``python -m tests.github``: the local GitHub as a program, for tests that run others (act).

Prints one line of JSON with its address, serves until its standard input closes or it is told to end, and then writes
its log and what became of the repository. Exit status 1 where it was asked for a path that it does not know.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Optional

from tests.github.local import BOT, LocalGitHub


def parser() -> argparse.ArgumentParser:
    """The program's options."""
    options = argparse.ArgumentParser(prog="python -m tests.github", description="A GitHub on loopback.")
    options.add_argument("--port", type=int, default=0, help="0 for any")
    options.add_argument("--bind", default="127.0.0.1", help="the address to listen on")
    options.add_argument("--repository", default="audacitorch/action", metavar="OWNER/NAME")
    options.add_argument("--state", type=Path, help='{"files": {…}, "permissions": {…}, "issues": [{"title": …}]}')
    options.add_argument(
        "--token", action="append", default=[], metavar="TOKEN:LOGIN:issues=write,…", help=f"LOGIN may be {BOT}"
    )
    options.add_argument("--latency", type=float, default=0.0, help="seconds added to each answer")
    options.add_argument("--fault", action="append", default=[], metavar="JSON", help='{"kind": "cut", "path": "…"}')
    options.add_argument("--log", type=Path, help="where to write the requests, a line of JSON each")
    options.add_argument("--dump", type=Path, help="where to write issues, comments and branches at the end")
    return options


def _dump(github: LocalGitHub) -> Dict[str, Any]:
    state = github.state
    return {
        "issues": [asdict(issue) for issue in state.issues.values()],
        "comments": [asdict(comment) for comment in state.comments.values()],
        "branches": {
            branch: {path: state.blobs[blob].decode("utf-8", "replace") for path, blob in state.files(branch).items()}
            for branch in state.branches
        },
    }


def _fill(github: LocalGitHub, given: Dict[str, Any]) -> None:
    github.state.permissions.update(given.get("permissions", {}))
    for issue in given.get("issues", ()):
        labels = tuple(issue.get("labels", ()))
        github.state.add_issue(issue["title"], issue.get("body"), issue.get("login", "ann"), labels)


def main(arguments: Optional[List[str]] = None) -> int:
    """Serve."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    given: Dict[str, Any] = json.loads(options.state.read_text("utf-8")) if options.state else {}
    with LocalGitHub(
        options.repository, given.get("files"), bind=options.bind, port=options.port, latency=options.latency
    ) as github:
        _fill(github, given)
        for token in options.token:
            secret, login, rights = token.split(":")
            github.add_token(secret, login, **dict(right.split("=") for right in rights.split(",") if right))
        for fault in options.fault:
            github.fault(**json.loads(fault))
        try:
            print(json.dumps({"url": github.url}), flush=True)
            sys.stdin.read()
        except KeyboardInterrupt:
            pass
        finally:
            if options.log:
                lines = [json.dumps(asdict(logged)) + "\n" for logged in github.take_log()]
                options.log.write_text("".join(lines), encoding="utf-8")
            if options.dump:
                options.dump.write_text(json.dumps(_dump(github), indent=1), encoding="utf-8")
        for path in github.unexpected:
            print(f"unexpected: {path}", file=sys.stderr)
        return 1 if github.unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
