"""`audacitorch new`: a model repo to start from, asked for on a terminal or by options."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Tuple

if TYPE_CHECKING:
    from audacitorch.new import Answers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch new`; what is not given is asked for on a terminal, and has a default elsewhere."""
    from audacitorch.new import KINDS

    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument("--kind", choices=KINDS, help="what the model returns: waveforms or labels (default: effect)")
    parser.add_argument("--name", metavar="NAME", help="the model's title (default: the folder's name)")
    parser.add_argument(
        "--sample-rate", type=int, metavar="HZ", help="sample rate that the model expects (default: 44100)"
    )
    parser.add_argument("--labels", metavar="A,B", help="names of the outputs or classes, separated by commas")
    parser.add_argument("--stereo", action="store_true", default=None, help="pass stereo tracks as (2, samples)")
    parser.add_argument(
        "--indices",
        action="store_true",
        help="make a labeler return class indices, which Audacity 3.2 alpha reads, instead of probabilities",
    )
    parser.add_argument("--domains", metavar="A,B", help="any of music, speech, environmental, other (default: music)")
    parser.add_argument(
        "--license", metavar="SPDX", default="mit", help="the licence that the card names (default: mit)"
    )
    parser.add_argument("--no-export", action="store_true", help="write the files without exporting the model")


def run(arguments: argparse.Namespace) -> int:
    """Write the files, and export the model where PyTorch is at hand: 1 where that failed."""
    from audacitorch.errors import AudacitorchError
    from audacitorch.new import NewError, create
    from audacitorch.safetext import visible

    try:
        written = create(arguments.folder, _answers(arguments))
    except ValueError as error:
        if isinstance(error, AudacitorchError):
            raise
        raise NewError(str(error)) from error
    for path in written:
        print(visible(path))
    if arguments.no_export or importlib.util.find_spec("torch") is None:
        print(f"Next, where PyTorch is installed: python {visible(arguments.folder / 'export.py')}")
        return 0
    sys.stdout.flush()
    return int(subprocess.run([sys.executable, str(arguments.folder / "export.py")], check=False).returncode != 0)


def _answers(arguments: argparse.Namespace) -> Answers:
    from audacitorch.new import EFFECT, KINDS, Answers, default_labels

    kind = _ask("Effect or labeler?", arguments.kind, EFFECT, KINDS)
    name = _ask("A readable name?", arguments.name, arguments.folder.resolve().name)
    rate = arguments.sample_rate
    if rate is None:
        text = _ask("Sample rate in Hz?", None, "44100")
        rate = int(text) if text.isdecimal() else 0
    labels = _ask("Names of the outputs or classes, with commas?", arguments.labels, ",".join(default_labels(kind)))
    stereo = arguments.stereo
    if stereo is None:
        stereo = _ask("Stereo tracks as two channels?", None, "no", ("yes", "no")) == "yes"
    return Answers(
        kind=kind,
        name=name,
        sample_rate=rate,
        labels=_words(labels),
        multichannel=stereo,
        domains=_words(_ask("Domains, with commas?", arguments.domains, "music")),
        license=arguments.license,
        indices=arguments.indices,
    )


def _ask(question: str, given: Optional[str], default: str, choices: Tuple[str, ...] = ()) -> str:
    """What was given, or the answer of somebody at a terminal, or the default where nobody is."""
    if given is not None or not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        return default if given is None else given
    from rich.prompt import Prompt

    return Prompt.ask(question, choices=list(choices) or None, default=default)


def _words(text: str) -> Tuple[str, ...]:
    words: List[str] = [word.strip() for word in text.split(",")]
    return tuple(word for word in words if word)
