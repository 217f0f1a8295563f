"""The hosts: programs (and one specification) that a model can be judged for, each as one value.

Whatever depends on the host asks its value: Torch release, archive formats, size limit, card schema, how labels are
read, in which order a block is downmixed and resampled. Adding a host is adding a value here and its schema in
``data/metadata.schema.json``; docs/development.md lists the steps. Source of the facts: docs/host.md. No torch here:
the command line imports this to name its choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Iterable, Mapping, Tuple

from audacitorch.errors import AudacitorchError

EFFECT = "waveform-to-waveform"
ANALYZER = "waveform-to-labels"


@dataclass(frozen=True)
class Menu:
    """Where Audacity lists the models of one effect type: the menu's title, and the entry in it."""

    title: str
    entry: str

    def __str__(self) -> str:
        return f"{self.title} > {self.entry}"


#: The effect types, with the menu of each.
MENUS: Mapping[str, Menu] = {
    EFFECT: Menu("Effect", "Deep Learning Effect"),
    ANALYZER: Menu("Analyze", "Deep Learning Analyzer"),
}

#: How a host reads an analyzer's first tensor.
PROBABILITIES = "probabilities"  # (steps, classes), label = argmax
INDICES = "indices"  # (steps,)


class UnknownHost(AudacitorchError, ValueError):
    """A name that no host has."""

    exit_status = 2


@dataclass(frozen=True, repr=False)
class Host:
    """What one host expects of a model, and what it does with it.

    Attributes:
        name: its id in reports, on the command line and in schemas; also the key of its card schema.
        title: how sentences name it.
        summary: what it is, in a clause, for help texts and docs.
        torch: the Torch release that runs the model.
        oldest_format: the oldest archive format that it loads.
        newest_format: the newest archive format that it loads.
        size_limit: bytes; a model.pt of this size or more is not installed.
        labels: how it reads an analyzer's first tensor: ``PROBABILITIES`` or ``INDICES``.
        resamples_first: effect types whose blocks it resamples before the downmix; others are downmixed first.
        finds_plain_files: whether it finds a model.pt that is not in Git LFS.
        released: whether people can have it; the specification is not a program, and can't crash.
    """

    name: str
    title: str
    summary: str
    torch: str = "1.9.0"
    oldest_format: int = 1
    newest_format: int = 6
    size_limit: int = 1 << 31
    labels: str = INDICES
    resamples_first: Tuple[str, ...] = ()
    finds_plain_files: bool = False
    released: bool = True

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Host {self.name}>"


SPEC = Host(
    name="spec",
    title="the specification",
    summary="the specification that contributors read, taken at its word",
    labels=PROBABILITIES,
    resamples_first=(ANALYZER,),
    finds_plain_files=True,
    released=False,
)
ALPHA = Host(
    name="audacity-3.2-alpha",
    title="Audacity 3.2 alpha",
    summary="the alpha builds of 2022 and 2023, the last that shipped and what people have",
)

#: Every host, in the order in which reports show them.
HOSTS: Tuple[Host, ...] = (SPEC, ALPHA)

#: The host that a check speaks for where nobody asks for another: what contributors are asked for.
DEFAULT_HOST = SPEC
#: The host that the built-in list goes by: what people have.
LIST_HOST = ALPHA
#: The Torch release that the trial runs models in.
TORCH_VERSION = DEFAULT_HOST.torch


def host_named(name: str) -> Host:
    """The host called ``name``.

    Raises:
        UnknownHost: no host has this name.
    """
    for host in HOSTS:
        if host.name == name:
            return host
    raise UnknownHost(f"no host is called {name!a}: choose among {', '.join(map(str, HOSTS))}")


def by_host(choose: Callable[[Host], str]) -> Dict[Host, str]:
    """What ``choose`` says of each host: a severity that follows from the hosts' values."""
    return {host: choose(host) for host in HOSTS}


def only_for(hosts: Iterable[Host], severity: str, others: str) -> Dict[Host, str]:
    """``severity`` for these hosts, and ``others`` for all that are not named."""
    named = tuple(hosts)
    return {host: severity if host in named else others for host in HOSTS}
