"""An answer of the Hub: the way to it, its headers, and its body in bounded pieces."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Iterator, List, Optional, Type

import requests
from requests.exceptions import RequestException

from audacitorch.hub.endpoint import place
from audacitorch.hub.errors import FileTooLarge, HubUnreachable, printable

CHUNK = 1 << 16


class BodyCut(HubUnreachable):
    """An answer began well and did not arrive whole."""


@dataclass
class Answer:
    """The end of a chain of redirects; ``hops`` are the answers on the way, this one included."""

    hops: List[requests.Response]

    @property
    def response(self) -> requests.Response:
        """The answer that carries the body."""
        return self.hops[-1]

    @property
    def url(self) -> str:
        """Where the body is."""
        return self.response.url

    def header(self, name: str) -> Optional[str]:
        """The first hop's word on ``name``: the Hub's own, before a CDN's."""
        return next((hop.headers[name] for hop in self.hops if name in hop.headers), None)

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces.

        Raises:
            BodyCut: it ended early, or can't be decoded.
        """
        try:
            yield from self.response.iter_content(CHUNK)
        except (RequestException, OSError) as error:
            raise BodyCut(f"an answer of {place(self.url)} was cut off: {reason(error)}") from error

    def read(self, limit: int, what: str) -> bytes:
        """The whole body.

        Raises:
            FileTooLarge: it has more than ``limit`` bytes.
            BodyCut: it ended early.
        """
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise FileTooLarge(f"{what} has more than {limit} bytes")
        return bytes(body)

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.response.close()


def reason(error: BaseException) -> str:
    """Why a request failed, without the address that it was sent to: a CDN's holds a signature."""
    inner = error.args[0] if error.args else error
    return printable(str(getattr(inner, "reason", None) or inner).rpartition(">: ")[2] or type(error).__name__)


def drain(response: requests.Response) -> None:
    """Read a small body to its end, so that its connection can be used again; hang up on a large one."""
    try:
        if int(response.headers.get("Content-Length", CHUNK + 1)) <= CHUNK:
            _ = response.content
    except (RequestException, OSError, ValueError):
        pass
    finally:
        response.close()
