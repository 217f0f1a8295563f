"""``python -m tests.docs [PAGE…]``: run the commands of README and docs, print how many there are and how many ran."""

from __future__ import annotations

import sys
from typing import List

from tests.docs.commands import commands, page_name, pages
from tests.docs.follow import follow


def main(names: List[str]) -> int:
    """Follow the pages; 1 where a command fails."""
    shown = ran = 0
    failures = []
    for page in pages():
        if not commands(page) or (names and page_name(page) not in names):
            continue
        steps = list(follow(page))
        print(f"{page_name(page)}: {len(commands(page))} commands", flush=True)
        for step in steps:
            word = "left out" if step.status is None else f"status {step.status}"
            print(f"  {step.command.line:4} {word:9} {step.command.text}")
            for reason in step.reasons:
                print(f"                 ({reason})")
            if step.failed:
                failures.append(f"{page_name(page)}:{step.command.line}: {step.command.text}\n{step.output}")
        shown += len(commands(page))
        ran += sum(step.status is not None for step in steps)
    print(f"{shown} commands, {ran} ran, {len(failures)} failed")
    print("\n\n".join(failures), end="")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
