"""``python -m tests.hub``: the local Hub as a program, for tests that run others.

Prints one line of JSON with its address, serves until its standard input closes or it is told to end, and then
writes its log. Exit status 1 where it was asked for a path that it does not know.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import List, Optional

from tests.hub.local import LocalHub, add_folder


def parser() -> argparse.ArgumentParser:
    """The program's options."""
    options = argparse.ArgumentParser(prog="python -m tests.hub", description="A HuggingFace Hub on loopback.")
    options.add_argument("--port", type=int, default=0, help="the Hub's port; 0 for any")
    options.add_argument("--bind", default="127.0.0.1", help="the address to listen on")
    options.add_argument("--name", default="127.0.0.1", help="the Hub's host name")
    options.add_argument("--cdn-name", default="localhost", help="the CDN's host name; not the Hub's")
    options.add_argument("--folder", type=Path, help="a folder of repos: author/name/files")
    options.add_argument("--tag", action="append", default=[], help="a tag for every repo of the folder")
    options.add_argument("--many", type=int, default=0, help="that many made-up repos tagged audacity")
    options.add_argument("--token", action="append", default=[], metavar="TOKEN:USER[:write]", help="a token")
    options.add_argument("--latency", type=float, default=0.0, help="seconds added to each answer")
    options.add_argument("--fault", action="append", default=[], metavar="JSON", help='{"kind": "cut", "path": "…"}')
    options.add_argument("--log", type=Path, help="where to write the requests, a line of JSON each")
    return options


def _metadata(number: int) -> bytes:
    return json.dumps({"short_description": f"model {number}"}).encode()


def _files(number: int) -> dict[str, bytes]:
    return {"README.md": b"", "metadata.json": _metadata(number), "model.pt": b"PK %d" % number}


def main(arguments: Optional[List[str]] = None) -> int:
    """Serve."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    names = (options.name, options.cdn_name)
    with LocalHub(bind=options.bind, port=options.port, names=names, latency=options.latency) as hub:
        if options.folder:
            add_folder(hub, options.folder, tags=options.tag)
        if options.many:
            hub.add_many(options.many, _files)
        for token in options.token:
            secret, user, *rights = token.split(":")
            hub.add_token(secret, user, write="write" in rights)
        for fault in options.fault:
            hub.fault(**json.loads(fault))
        try:
            print(json.dumps({"url": hub.url}), flush=True)
            sys.stdin.read()
        except KeyboardInterrupt:
            pass
        finally:
            if options.log:
                lines = [json.dumps(asdict(logged)) + "\n" for logged in hub.take_log()]
                options.log.write_text("".join(lines), encoding="utf-8")
        for path in hub.unexpected:
            print(f"unexpected: {path}", file=sys.stderr)
        return 1 if hub.unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
