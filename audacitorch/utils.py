"""The specification's functions for people who export a model: check it, describe it, save it.

Importing this module imports no torch; only ``validate_metadata`` works without it.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Set, Tuple, Union

from audacitorch.findings import ERROR, severity_by_host
from audacitorch.hosts import DEFAULT_HOST, HOSTS, TORCH_VERSION, Host
from audacitorch.repo.metadata_file import read_metadata, with_both_domain_fields

if TYPE_CHECKING:
    import random

    import torch
    from torch import Tensor, nn
    from torch.jit import ScriptModule

    from audacitorch.core import AudacityModel

#: The functions, and the other names that ``from audacitorch.utils import *`` has given since 0.0.4.
__all__ = [
    "AudacityModel",
    "Path",
    "Tuple",
    "get_example_inputs",
    "json",
    "load_schema",
    "random",
    "save_model",
    "test_run",
    "torch",
    "validate_metadata",
]

#: Lengths of example inputs in samples: what a trace records first, then powers of two, odd numbers and primes, and a
#: whole block of Audacity's last. Shorter ones are left to the check, for which they are no error of every effect.
EXAMPLE_SAMPLES = (48_000, 2_048, 16_384, 44_101, 100_003, 262_144)
#: Where ``multichannel`` is false, two full-scale channels are summed: samples reach from -2 to 2.
EXAMPLE_PEAKS = (1.0, 2.0)


def __getattr__(name: str) -> Any:
    if name in ("AudacityModel", "torch"):
        return vars(import_module("audacitorch.core"))[name]
    if name == "random":
        return import_module(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def validate_metadata(metadata: Mapping[str, Any]) -> Tuple[bool, str]:
    """Whether metadata is what the specification asks for, judged as the check judges metadata.json. Uses no network.

    Args:
        metadata: the fields. ``domains`` and ``domain_tags`` are two names of one field; one of them must be there.

    Returns:
        True with remarks, or False with every problem, one a line. What only another host refuses is a remark.
    """
    try:
        problems = _problems_by_host(_with_domain_tags(metadata))
    except _NotJson as error:
        return False, str(error)
    if problems[DEFAULT_HOST]:
        return False, "\n".join(problems[DEFAULT_HOST])
    remarks = [f"{host}: {message}" for host in HOSTS for message in problems[host]]
    return True, "\n".join(["metadata is valid", *remarks])


class _NotJson(ValueError):
    """A value that JSON cannot hold."""


def _with_domain_tags(metadata: Mapping[str, Any]) -> Dict[str, Any]:
    """The fields as :func:`save_model` writes them, where the domain fields can be told."""
    if not isinstance(metadata, Mapping):
        raise _NotJson(f"metadata is a {type(metadata).__name__}, expected a dict of fields")
    domains = metadata.get("domains", metadata.get("domain_tags"))
    if isinstance(domains, (list, tuple)) and all(isinstance(domain, str) for domain in domains):
        return with_both_domain_fields(metadata)
    return dict(metadata)


def _problems_by_host(metadata: Mapping[str, Any]) -> Dict[Host, List[str]]:
    """What would be an error in a metadata.json of these fields, for each host, by the same rules as a check's."""
    from audacitorch.rules import all_rules

    facts = read_metadata(_to_json(metadata))
    found: Dict[Host, List[str]] = {host: [] for host in HOSTS}
    failed: Set[str] = set()
    for rule in all_rules().values():
        if rule.family != "metadata" or failed.intersection(rule.after):
            continue
        for problem in rule.check(facts):
            severities = rule.severity if problem.severity is None else severity_by_host(problem.severity)
            for host in HOSTS:
                if severities[host] == ERROR:
                    failed.add(rule.name)
                    found[host].append(problem.message)
    return found


def _to_json(metadata: Mapping[str, Any]) -> bytes:
    """The bytes of metadata.json."""
    try:
        return (json.dumps(metadata, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
    except UnicodeEncodeError as error:
        raise _NotJson("metadata holds half of a surrogate pair, which is not a character") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise _NotJson(f"metadata holds a value that JSON can't represent: {error}") from error


def save_model(
    model: ScriptModule, metadata: Mapping[str, Any], root_dir: Union[str, Path], *, backport: bool = False
) -> None:
    """Write a model repo: ``model.pt`` and ``metadata.json``, with both ``domains`` and ``domain_tags``.

    The written model is loaded again and must compute what ``model`` does. Each file is written whole before it takes
    the place of an older one. If anything fails, no file is touched. What only another host refuses is a warning.

    Args:
        model: a scripted or traced module.
        metadata: the fields of metadata.json; see ``docs/metadata.md``.
        root_dir: the folder to write to; made where there is none.
        backport: rewrite the archive for Torch 1.9.0, as `audacitorch backport` does; under 1.9.0 it changes nothing.

    Raises:
        ImportError: PyTorch is not installed.
        TypeError: the model is not a ScriptModule.
        ValueError: the metadata is invalid, the file can't be loaded again or computes something else, or the archive
            calls what Torch 1.9.0 lacks and no rewriting replaces; the message lists every problem.
        FileExistsError: ``root_dir`` is a file.
    """
    from audacitorch import saved_model

    _require_script_module(model)
    _require_valid(metadata)
    folder = Path(root_dir)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{str(folder)!r} is a file, and must be a folder.")
    _warn_of_newer_torch(backport)
    folder.mkdir(parents=True, exist_ok=True)
    example = min(get_example_inputs(bool(metadata.get("multichannel"))), key=lambda x: x.shape[1])
    # The archive's top folder is named after the file: hence a file called model.pt, in a folder of its own.
    with tempfile.TemporaryDirectory(prefix=".save_model-", dir=folder) as scratch:
        saved_model.write(model, Path(scratch, "model.pt"), example, backport=backport)
        Path(scratch, "metadata.json").write_bytes(_to_json(with_both_domain_fields(metadata)))
        for name in ("model.pt", "metadata.json"):
            os.replace(Path(scratch, name), folder / name)


def _require_script_module(model: object) -> None:
    if not isinstance(model, _torch().jit.ScriptModule):
        raise TypeError(
            f"model is a {type(model).__name__}, not a ScriptModule: "
            "make one with torch.jit.script(model) or torch.jit.trace(model, example_input)."
        )


def _require_valid(metadata: Mapping[str, Any]) -> None:
    """Raise ValueError unless the specification takes the metadata; warn of what only another host refuses."""
    valid, message = validate_metadata(metadata)
    if not valid:
        raise ValueError("metadata is invalid:\n" + message)
    for remark in message.splitlines()[1:]:
        warnings.warn(remark, stacklevel=3)


def _warn_of_newer_torch(backport: bool) -> None:
    running = _torch().__version__
    if running.partition("+")[0] != TORCH_VERSION and not backport:
        warnings.warn(
            f"Saved with Torch {running}. Audacity runs {TORCH_VERSION} and may refuse the file: save with "
            "backport=True, or run `audacitorch check` on the folder.",
            stacklevel=3,
        )


def load_schema() -> Dict[str, Any]:
    """The JSON schema that the builds which people have judge metadata.json by. Uses no network."""
    from audacitorch.repo.metadata_file import schema

    found: Dict[str, Any] = json.loads(json.dumps(schema()["$defs"]["audacity-3.2-alpha"]))
    return {"$schema": schema()["$schema"], **found}


def get_example_inputs(multichannel: bool = False) -> List[Tensor]:
    """Blocks of noise as Audacity would pass them, the same ones every time.

    Args:
        multichannel: also give stereo blocks, as a model with ``multichannel: true`` gets them.

    Returns:
        waveforms ``(1, samples)``, and ``(2, samples)`` where asked: float32, of several lengths, with peaks of 1 and,
        as the sum of two channels has them, of 2.
    """
    torch = _torch()

    noise = torch.Generator().manual_seed(0)
    lengths = [(samples, EXAMPLE_PEAKS[index % len(EXAMPLE_PEAKS)]) for index, samples in enumerate(EXAMPLE_SAMPLES)]
    return [
        (torch.rand(channels, samples, generator=noise) * 2 - 1) * peak
        for channels in ((1, 2) if multichannel else (1,))
        for samples, peak in lengths
    ]


def test_run(model: nn.Module, multichannel: bool = False) -> None:  # noqa: PT028 - no test of pytest's
    """Run a model on :func:`get_example_inputs` and check what it returns, as the base classes do.

    Args:
        model: the serialized model, or the wrapper before it is serialized.
        multichannel: run stereo blocks too; ask for it where the metadata says ``multichannel: true``.

    Raises:
        ImportError: PyTorch is not installed.
        RuntimeError: ``forward`` raised; the message names the input's shape.
        TypeError, ValueError: what it returned is not what Audacity can use; the message names both shapes.
    """
    from audacitorch import core

    torch = _torch()
    for x in get_example_inputs(multichannel):
        with torch.no_grad():
            try:
                output = model(x.clone())
            except Exception as error:
                raise RuntimeError(f"the model failed on an input of shape {list(x.shape)}: {error}") from error
        subject = f"for an input of shape {list(x.shape)} the model returned"
        if isinstance(output, tuple):
            core.require_labels(output, subject)
        else:
            core.require_waveform(output, subject, x.shape[1])


test_run.__test__ = False  # type: ignore[attr-defined]  # pytest must not collect it where it is imported


def _torch() -> Any:
    """PyTorch, or the sentence that says how to get it."""
    return __getattr__("torch")
