"""The hosts: programs (and one specification) that a model can be judged for, each as one value.

Whatever depends on the host asks its value: Torch release, archive formats, size limit, card schema, how labels are
read, in which order a block is downmixed and resampled. Adding a host is adding a value here, its schema in
``data/metadata.schema.json`` and its severities; docs/development.md lists the steps. Source of the facts:
docs/host.md. No torch here: the command line imports this to name its choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Dict, Mapping, Tuple

EFFECT = "waveform-to-waveform"
ANALYZER = "waveform-to-labels"

#: Where Audacity lists a model, by ``effect_type``.
MENUS: Mapping[str, str] = MappingProxyType(
    {
        EFFECT: 'the Effect menu, under "Deep Learning Effect"',
        ANALYZER: 'the Analyze menu, under "Deep Learning Analyzer"',
    }
)

#: How a host reads an analyzer's first tensor.
PROBABILITIES = "probabilities"  # (steps, classes), label = argmax
INDICES = "indices"  # (steps,)


@dataclass(frozen=True)
class Host:
    """What one host expects of a model, and what it does with it.

    Attributes:
        name: its id in reports, on the command line and in schemas; also the key of its card schema.
        title: how sentences name it.
        torch: the Torch release that runs the model.
        formats: the oldest and the newest archive format that it loads.
        size_limit: bytes; a model.pt of this size or more is not installed.
        labels: how it reads an analyzer's first tensor: ``PROBABILITIES`` or ``INDICES``.
        resamples_first: effect types whose blocks it resamples before the downmix; others are downmixed first.
        finds_plain_files: whether it finds a model.pt that is not in Git LFS.
        released: whether people can have it; the specification is no program.
    """

    name: str
    title: str
    torch: str = "1.9.0"
    formats: Tuple[int, int] = (1, 6)
    size_limit: int = 1 << 31
    labels: str = INDICES
    resamples_first: Tuple[str, ...] = ()
    finds_plain_files: bool = False
    released: bool = True

    def __str__(self) -> str:
        return self.name


SPEC = Host(
    name="spec",
    title="the specification",
    labels=PROBABILITIES,
    resamples_first=(ANALYZER,),
    finds_plain_files=True,
    released=False,
)
ALPHA = Host(name="audacity-3.2-alpha", title="Audacity 3.2 alpha")

#: Every host by name, in the order in which reports show them.
HOSTS: Dict[str, Host] = {host.name: host for host in (SPEC, ALPHA)}

#: The host that a check speaks for where nobody asks for another: what contributors are asked for.
DEFAULT_HOST = SPEC
#: The host that the built-in list goes by: what people have.
LIST_HOST = ALPHA
#: The Torch release that the trial runs models in.
TORCH_VERSION = DEFAULT_HOST.torch
