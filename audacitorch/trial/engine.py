"""The container engine and the image, as far as the container sandbox needs to have them before a model is run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any, Optional, Tuple

from audacitorch.trial.link import TrialUnavailable
from audacitorch.version import __version__

DEFAULT_IMAGE = f"ghcr.io/audacitorch/action:v{__version__}"
_ENGINE_SECONDS = 60


def image_name() -> str:
    """The image that models run in: ``$AUDACITORCH_IMAGE``, or the one that was published with this version."""
    return os.environ.get("AUDACITORCH_IMAGE") or DEFAULT_IMAGE


def connect() -> Any:
    """A client of the engine that ``DOCKER_HOST`` and the like name.

    Raises:
        TrialUnavailable: nobody answers there, or Python's package docker is missing.
    """
    try:
        import docker
    except ImportError as error:
        raise TrialUnavailable("the container sandbox needs Python's package docker: pip install docker") from error
    from requests.exceptions import RequestException

    try:
        return docker.APIClient(version="auto", timeout=_ENGINE_SECONDS, **docker.utils.kwargs_from_env())
    except (docker.errors.DockerException, RequestException) as error:
        raise TrialUnavailable(f"no Docker engine answers: {reason(error)}") from error


def get_image(engine: Any, name: str) -> None:
    """Have the image here, of this version: another's worker may speak otherwise.

    Raises:
        TrialUnavailable: it can't be had, or is of another version.
    """
    from docker.errors import DockerException, ImageNotFound
    from requests.exceptions import RequestException

    try:
        try:
            image = engine.inspect_image(name)
        except ImageNotFound:
            repository, tag = name_and_tag(name)
            engine.pull(repository, tag)
            image = engine.inspect_image(name)
    except (DockerException, RequestException) as error:
        raise TrialUnavailable(
            f"the image {name} is not here and can't be pulled ({reason(error)}): build it in a checkout with "
            f"`docker build -t {name} .`, or name another in AUDACITORCH_IMAGE"
        ) from error
    version = (image["Config"].get("Labels") or {}).get("org.opencontainers.image.version")
    if version != __version__:
        raise TrialUnavailable(f"the image {name} is of audacitorch {version}, and this is {__version__}")


def name_and_tag(name: str) -> Tuple[str, Optional[str]]:
    """An image's name as the engine's pull takes it: all tags would come without one."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository, digest
    place, _, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    return f"{place}/{base}" if place else base, tag or "latest"


def reason(error: Exception) -> str:
    """An error of the engine's or of the way to it, as a clause."""
    text = str(getattr(error, "explanation", None) or error)
    with suppress(ValueError, TypeError, KeyError):
        text = json.loads(text)["message"]
    return " ".join(text.split())[:300].rstrip(".")
