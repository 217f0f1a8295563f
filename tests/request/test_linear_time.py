"""Strangers' texts are read in time that grows with their length, and not faster."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Callable, Dict

import pytest

from audacitorch.request import Reason
from audacitorch.request.comment import Links, render_request
from audacitorch.request.decision import Decision, timestamp
from audacitorch.request.issue_event import command_in, find_repo, read_event
from audacitorch.request.memory import MARKER, Memory, read_memory, with_status

ATOMS = [
    " ", "\t", "> ", ">", "a", "a/b ", "/", "\\", "`", "```\n", "*", "**", "**:", "_", "# ", "# x\n", "- ", "1. ",
    "<!--", "<!-- -->", "<pre>\n", "<b>\n", "| a |\n", "\n", "\r", "\u2028", "[", "[a]: b\n", "[a](", ":", "://",
    "https://huggingface.co/", "https://huggingface.co/a/b ", "@", "%2f", "\u0301\u0327", "\ufdfa", "한/글 ",
    "repo id ", "Repo ID: ", "repo id:(", "enter your ", "/accept\n", "/accept\n\n", "&", '"', "..", "\0", "\ud800",
]  # fmt: skip


def show(text: str) -> None:
    decision = Decision(1, "needs-info", timestamp(), reason=Reason("malformed", (text,), (text,)))
    render_request(decision, Memory(), Links())


READERS: Dict[str, Callable[[str], object]] = {
    "body": find_repo,
    "field": lambda text: find_repo(f"### Repo ID\n{text}"),
    "old template": lambda text: find_repo(f"**Enter your repo ID here**: {text}"),
    "title": lambda text: find_repo("", text),
    "command": command_in,
    "text before a command": lambda text: command_in(f"{text}\n\n/accept"),
    "text after a command": lambda text: command_in(f"/accept\n\n{text}"),
    "memory": lambda text: read_memory(MARKER + text),
    "status": lambda text: with_status(text, Memory(), "x", "y"),
    "shown": show,
}


def seconds(reader: Callable[[str], object], text: str) -> float:
    """The processor's time, which other programs on this machine do not change."""
    began = time.process_time()
    reader(text)
    return time.process_time() - began


@pytest.mark.parametrize("name", READERS)
def test_four_times_the_text_takes_no_more_than_nine_times_as_long(name: str) -> None:
    reader = READERS[name]
    for atom in ATOMS:
        count = 65_000 // len(atom)
        quarter = seconds(reader, atom * (count // 4))
        whole = seconds(reader, atom * count)
        assert whole < 9 * quarter + 0.25, (atom, quarter, whole)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.slow
def test_two_mebibytes_cost_no_more_than_what_github_lets_through(name: str) -> None:
    reader = READERS[name]
    for atom in ATOMS:
        bounded = seconds(reader, atom * (65_536 // len(atom)))
        large = seconds(reader, atom * ((2 << 20) // len(atom)))
        assert large < 40 * bounded + 0.5, (atom, bounded, large)


def test_an_event_of_two_mebibytes_is_read(tmp_path: Path) -> None:
    for atom in ATOMS:
        body = atom * ((2 << 20) // len(atom))
        event = {
            "action": "opened",
            "issue": {"number": 1, "body": body},
            "comment": {"id": 1},
        }
        (tmp_path / "event.json").write_text(json.dumps(event))
        assert read_event(tmp_path / "event.json").number == 1
