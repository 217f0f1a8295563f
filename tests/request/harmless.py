"""Looking at a comment as GitHub would show it, for what nobody but us may put there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import List

from markdown_it import MarkdownIt

#: What the comment's own text is made of.
TAGS = {
    "a",
    "blockquote",
    "br",
    "code",
    "details",
    "em",
    "h2",
    "h3",
    "hr",
    "li",
    "p",
    "pre",
    "strong",
    "sub",
    "summary",
}
TAGS |= {"table", "tbody", "td", "th", "thead", "tr", "ul"}
PLACES = ("https://github.com/audacitorch/action/", "https://huggingface.co/")
MENTION = re.compile(r"(?<![\w/`])@[A-Za-z0-9]")
REFERENCE = re.compile(r"(?<![\w&/])#\d|\bGH-\d", re.IGNORECASE)
OUR_LINK = re.compile("|".join(re.escape(f"]({place}") for place in PLACES))
ADDRESS = re.compile(r"\w+://|www\.[^\s]", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: List[str] = []
        self.links: List[str] = []
        self.text: List[str] = []
        self.comments: List[str] = []
        self._code = 0
        self._stack: List[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self._stack.append(tag)
        given = dict(attrs)
        assert set(given) <= ({"href"} if tag == "a" else {"style"} if tag in ("td", "th") else set()), (tag, attrs)
        if "href" in given:
            self.links.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag in self._stack:
            while self._stack.pop() != tag:
                pass

    def handle_comment(self, data: str) -> None:
        self.comments.append(data.strip())

    def handle_data(self, data: str) -> None:
        if "code" not in self._stack and "pre" not in self._stack and "a" not in self._stack:
            self.text.append(data)


def check_comment(comment: str) -> None:
    """Fail where a comment mentions, refers, links elsewhere, holds a stranger's tag, or is too long for GitHub."""
    assert len(comment) <= 65_536
    page = _Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(comment))
    assert set(page.tags) <= TAGS, set(page.tags) - TAGS
    assert all(link.startswith(PLACES) for link in page.links), page.links
    assert page.comments[1:] == ["status", "/status"], page.comments
    assert page.comments[0].startswith("audacitorch:built-in-request {")
    text = "\n".join(page.text)
    for forbidden in (MENTION, REFERENCE):
        assert not forbidden.search(text), forbidden.search(text)
    # GitHub makes links of bare addresses while it reads the source, so that is where none may be.
    bare = OUR_LINK.sub("](", comment)
    assert not ADDRESS.search(bare), ADDRESS.search(bare)
    assert all(c.isprintable() or c == "\n" for c in comment)
    assert page.tags.count("details") == comment.count("<details>") == comment.count("</details>")
