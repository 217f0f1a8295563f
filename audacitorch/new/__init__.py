"""`audacitorch new`: a model repo to start from, which passes a check as it is made.

The files are Jinja templates in ``templates/``; :func:`create` fills them in.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from audacitorch.errors import AudacitorchError

EFFECT, LABELER = "effect", "labeler"
KINDS = (EFFECT, LABELER)

_TEMPLATES = Path(__file__).parent / "templates"
#: What stands for the file's name in a template's name: a wheel may leave out files that begin with a dot.
_DOT = "dot-"


class NewError(AudacitorchError):
    """The folder can't be made, or holds files already."""

    exit_status = 2


@dataclass(frozen=True)
class Answers:
    """What a new model repo is made from.

    Attributes:
        kind: ``effect`` or ``labeler``.
        name: a readable name, from which the wrapper class takes its own.
        sample_rate: Hz, the rate at which ``forward`` gets its blocks.
        labels: names of the output channels, or of the classes.
        multichannel: whether stereo tracks come as (2, samples).
        domains: of music, speech, environmental, other.
        license: an SPDX id for the card.
        indices: whether a labeler returns class indices, as Audacity 3.2 alpha reads them, and not probabilities.
    """

    kind: str
    name: str
    sample_rate: int = 44100
    labels: Tuple[str, ...] = ()
    multichannel: bool = False
    domains: Tuple[str, ...] = ("music",)
    license: str = "mit"
    indices: bool = False

    @property
    def class_name(self) -> str:
        """The wrapper's class: ``My model 2`` is ``MyModel2``."""
        words = re.findall(r"[A-Za-z0-9]+", self.name)
        joined = "".join(word[:1].upper() + word[1:] for word in words)
        return joined if joined[:1].isalpha() else f"Model{joined}"

    @property
    def metadata(self) -> Dict[str, Any]:
        """The fields of metadata.json, valid as they are."""
        return {
            "sample_rate": self.sample_rate,
            "domains": list(self.domains),
            "short_description": _shortened(f"{self.name}: say here what it does.", 60),
            "long_description": f"Say here in at most 280 characters what {self.name[:100]} is good for.",
            "tags": [],
            "labels": list(self.labels),
            "effect_type": "waveform-to-waveform" if self.kind == EFFECT else "waveform-to-labels",
            "multichannel": self.multichannel,
        }


def default_labels(kind: str) -> Tuple[str, ...]:
    """Names for what the placeholder network returns."""
    return ("output",) if kind == EFFECT else ("silence", "sound")


def create(folder: Path, answers: Answers) -> List[Path]:
    """Write the files of a new model repo into ``folder`` and return them; model.pt is made by its ``export.py``.

    Raises:
        NewError: the folder holds files already, or can't be written.
        ValueError: an answer is one that no model repo can have.
    """
    _require_usable(answers)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise NewError(f"{folder} is there already and is not empty: name a new folder.")
        written = []
        for name, text in _rendered(answers):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise NewError(f"{error.filename or folder} can't be written: {error.strerror}") from error
    return written


def _require_usable(answers: Answers) -> None:
    from audacitorch.repo.metadata_file import known_domains

    if answers.kind not in KINDS:
        raise ValueError(f"The kind is one of {', '.join(KINDS)}, not {answers.kind!r}.")
    if not 0 < answers.sample_rate <= 384000:
        raise ValueError(f"The sample rate is above 0 and at most 384,000 Hz, not {answers.sample_rate}.")
    if not answers.name.strip() or not answers.labels or not all(label.strip() for label in answers.labels):
        raise ValueError("A model has a name and at least one label, and none of them is empty.")
    unknown = [domain for domain in answers.domains if domain not in known_domains()]
    if unknown or not answers.domains:
        raise ValueError(f"Domains are {', '.join(known_domains())}, not {', '.join(unknown) or 'none'}.")


def _rendered(answers: Answers) -> Iterator[Tuple[str, str]]:
    """The files' names below the folder, with their texts."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Names are quoted where they stand in code (``repr`` or JSON); nothing here is HTML.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        variable_start_string="<<",
        variable_end_string=">>",
    )
    environment.filters["python"] = repr
    environment.filters["plain"] = _plain
    environment.filters["json"] = json.dumps
    values = {**asdict(answers), "class_name": answers.class_name, "metadata": answers.metadata}
    for template in sorted(environment.list_templates(filter_func=lambda name: name.endswith(".jinja"))):
        name = template[: -len(".jinja")]
        if name.startswith(tuple(f"{kind}/" for kind in KINDS)):
            if not name.startswith(f"{answers.kind}/"):
                continue
            name = name.partition("/")[2]
        yield "/".join(_named(part) for part in name.split("/")), environment.get_template(template).render(values)


def _named(part: str) -> str:
    return f".{part[len(_DOT) :]}" if part.startswith(_DOT) else part


def _plain(text: str) -> str:
    """``text`` as a docstring or a line of Markdown may hold it."""
    return " ".join("".join(c if c.isprintable() and c not in '"\\' else " " for c in text).split())


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
