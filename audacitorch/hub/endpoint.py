"""Where the Hub is, and which token goes there."""

from __future__ import annotations

import os
from typing import Optional, Tuple, Union
from urllib.parse import urlsplit

from audacitorch.hub.errors import HubUnreachable, printable

DEFAULT_ENDPOINT = "https://huggingface.co"


def endpoint_from(given: Optional[str]) -> str:
    """The Hub's address: as given, else ``HF_ENDPOINT``, else huggingface.co.

    Raises:
        HubUnreachable: the address is not one of HTTP.
    """
    endpoint = (given or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and "@" not in parts.netloc
    except ValueError:
        usable = None
    if not usable:
        raise HubUnreachable(f"the Hub's address must look like {DEFAULT_ENDPOINT}, not {printable(endpoint)}")
    return endpoint


def token_from(given: Union[str, bool, None]) -> Optional[str]:
    """The token to use: as given, else (None or True) the one that huggingface_hub finds; False for none."""
    if isinstance(given, str):
        return given.strip() or None
    if given is False:
        return None
    from huggingface_hub import get_token

    found: Optional[str] = get_token()
    return found


def origin(url: str) -> Tuple[str, Optional[str], Optional[int]]:
    """Scheme, host and port: who a token may be shown to."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return ("", None, None)


def place(url: str) -> str:
    """Scheme and host: the rest of a CDN's address holds its signature."""
    parts = urlsplit(url)
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
