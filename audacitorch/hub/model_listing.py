"""The Hub's listing of model repos with one tag, page after page, and the proof that it came to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Set, Tuple
from urllib.parse import urlencode, urljoin

from audacitorch.http import one_line
from audacitorch.hub.failures import HubError, HubUnreachable, IncompleteListing

if TYPE_CHECKING:
    from audacitorch.http.answer import Answer
    from audacitorch.http.transport import Transport

#: The largest page that the Hub gives.
PAGE_SIZE = 1000
#: What a refresh wants to know of every repo; ``_id`` and ``id`` always come.
FIELDS = (
    "author",
    "cardData",
    "createdAt",
    "disabled",
    "downloads",
    "gated",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "sha",
    "siblings",
    "tags",
)
_MOST_PAGES = 10_000


def list_models(transport: Transport, endpoint: str, tag: str, page_size: int = PAGE_SIZE) -> Iterator[Dict[str, Any]]:
    """Every model repo that carries ``tag``, as the Hub's own JSON objects: one request for ``page_size`` of them.

    Nothing is read out of the objects but a string ``id`` and ``_id``. A repo that is listed twice comes once, and
    shows that the listing moved while it was read. No repo at all is a complete listing: the caller knows whether
    that can be.

    Raises:
        HubUnreachable: the first page is not available.
        IncompleteListing: after the last repo that was read, when more may exist.
    """
    query = [("filter", tag), ("limit", str(page_size)), *(("expand", field) for field in FIELDS)]
    url: Optional[str] = f"{endpoint}/api/models?{urlencode(query)}"
    visited: Set[str] = set()
    seen: Set[str] = set()
    doubtful = 0
    while url is not None:
        visited.add(url)
        answer, entries = _page(transport, url, len(visited))
        before = len(seen)
        for entry in entries:
            key = _key(entry)
            if key is None or key in seen:
                doubtful += 1
            else:
                seen.add(key)
                yield entry
        following = _next(transport, answer)
        if following in visited or (len(seen) == before and (following or len(visited) > 1)):
            raise IncompleteListing(f"page {len(visited)} of the Hub's listing holds nothing new")
        if len(visited) == _MOST_PAGES:
            raise IncompleteListing(f"the Hub's listing has more than {_MOST_PAGES} pages")
        url = following
    if doubtful:
        raise IncompleteListing(f"the Hub listed {doubtful} repos twice or without an id, so others may be left out")


def _page(transport: Transport, url: str, number: int) -> Tuple[Answer, List[Any]]:
    """A page of the listing, and its entries."""
    try:
        answer, entries = transport.json(url, f"page {number} of the listing")
        if not isinstance(entries, list):
            raise HubUnreachable("the Hub's listing is not a list")
    except HubError as error:
        if number > 1:
            raise IncompleteListing(f"page {number} of the Hub's listing is missing: {error}") from error
        if isinstance(error, HubUnreachable):
            raise
        raise HubUnreachable(f"the Hub gives no listing: {error}") from error
    return answer, entries


def _next(transport: Transport, answer: Answer) -> Optional[str]:
    """Where the next page is; the end of the listing is said by no ``Link`` at all."""
    header = answer.response.headers.get("Link")
    if header is None:
        return None
    try:
        url: str = urljoin(answer.url, answer.response.links["next"]["url"])
    except (KeyError, ValueError) as error:
        if "next" not in header:
            return None
        raise IncompleteListing(f"the Hub's link to the next page can't be read: {one_line(header)}") from error
    if not transport.is_ours(url):
        raise IncompleteListing(f"the Hub's link to the next page leads elsewhere: {one_line(url)}")
    return url


def _key(entry: Any) -> Optional[str]:
    """What tells two repos apart: the Hub's own key, which outlives a change of name."""
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        return None
    key = entry.get("_id")
    return key if isinstance(key, str) else str(entry["id"])
