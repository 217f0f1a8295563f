"""The repo that an issue asks for, in the words of whoever wrote it: in the form, in the old template, or freely.

Everything here takes time in proportion to the text: a label is looked for in the first characters of a line only, and
combining marks are counted before Unicode sorts them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import List, Optional, Tuple
from urllib.parse import urlsplit

from audacitorch.request.mentions import MOST_SHOWN, Mention, Mentioned, Question, mentions_in

#: GitHub's own limit for the text of an issue.
LONGEST_BODY = 65_536
_LONGEST_TITLE = 1024
#: A label that is longer than this is not one.
_LONGEST_LABEL = 200
_MOST_MARKS = 16
#: What the form's own field is called, and what older templates and people called it.
_REPO_ID_LABEL = re.compile(
    r"(?:#{1,6}[ \t]*)?[*_]{0,2}[ \t]*"
    r"(?:enter[ \t]+)?(?:your[ \t]+|the[ \t]+)?(?:hugging[ \t]?face[ \t]+|hf[ \t]+|hub[ \t]+)?(?:model[ \t]+)?"
    r"repo(?:sitory)?[ \t_-]*(?:id\b|url\b|link\b|name\b)(?:[ \t]+here\b)?[^\w\n:]*:?[ \t*_]*(?:\([^)\n]*\))?[ \t*_:]*",
    re.IGNORECASE,
)
_HEADING = re.compile(r"[ \t]{0,3}(?:#{1,6}[ \t]|\*\*[^*\n]*\*\*[ \t]*:|\*\*[^*\n]*[:?][ \t]*\*\*)")
#: What forms write into an empty field, and what templates and people put there.
_NOTHING = frozenset(
    (
        "_no response_",
        "no response",
        "repo-id-goes-here",
        "response-goes-here",
        "none",
        "n/a",
        "na",
        "tbd",
        "todo",
        "?",
        "-",
        "author/name",
        "author/model",
        "username/model-name",
        "your-name/your-model",
    )
)


def find_repo(body: Optional[str], title: str = "", endpoint: str = "") -> Mentioned:
    """The repo that an issue asks for, or what must be asked back.

    The field for the repo id is what counts. If it is empty, what the rest mentions is no more than a guess; if there
    is no such field, a single repo that the rest or the title names is taken.

    Args:
        body: the issue's text; None and anything beyond GitHub's limit count as empty.
        endpoint: the Hub's address, if it is not the usual one.
    """
    hosts = [urlsplit(endpoint).netloc] if endpoint else []
    text = plain_text(body or "")
    value = _repo_id_field(text)
    if value is not None and value.strip(" \t\n<>-`*_.").lower() not in _NOTHING | {""}:
        return mentions_in(value, hosts).decided(strict=True)
    rest, headline = mentions_in(text, hosts), mentions_in(plain_text(title[:_LONGEST_TITLE]), hosts)
    if value is not None:
        return Question("empty", near=_ids([*rest.sure.values(), *headline.sure.values(), *headline.loose.values()]))
    found = rest.decided(strict=False)
    return headline.decided(strict=False) if isinstance(found, Question) and found.kind == "empty" else found


def _ids(mentions: List[Mention]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(mention.text for mention in mentions))[:MOST_SHOWN]


def _repo_id_field(text: str) -> Optional[str]:
    """The text of the field for the repo id; None if the issue has no such field."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        start = len(line) - len(line.lstrip(" \t>"))
        label = _REPO_ID_LABEL.match(line, start, start + _LONGEST_LABEL)
        if label is None:
            continue
        value = [line[label.end() :]]
        for following in lines[number + 1 :]:
            if _HEADING.match(following):
                break
            value.append(following)
        return "\n".join(value)
    return None


def plain_text(text: str) -> str:
    """``text`` without what nobody sees (HTML comments, zero-width characters); odd forms of letters made plain."""
    cut = _without_comments(text[:LONGEST_BODY].replace("\r\n", "\n").replace("\r", "\n"))
    plain = unicodedata.normalize("NFKC", cut if cut.isascii() else _without_stacks(cut))
    return "".join(c for c in plain if c in "\n\t" or unicodedata.category(c) not in ("Cf", "Cc", "Cs"))


def _without_comments(text: str) -> str:
    kept: List[str] = []
    place = 0
    while True:
        start = text.find("<!--", place)
        end = text.find("-->", start + 4) if start >= 0 else -1
        if end < 0:
            return "".join([*kept, text[place:]])
        kept.append(text[place:start])
        place = end + 3


def _without_stacks(text: str) -> str:
    """``text`` with at most a few combining marks in a row: Unicode sorts a run of them in quadratic time."""
    kept: List[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)
