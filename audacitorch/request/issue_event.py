"""What an issue says: the event that GitHub tells a workflow, the repo that is asked for, the command in a comment.

Commands are read from a comment as CommonMark reads it, because that is what its author saw: text that is quoted,
code, HTML or part of a list gives no command, however it is written. The repo is found in the form, in the old
template, or in free text, and in time proportional to it: a label is looked for in the first characters of a line
only, and combining marks are counted before Unicode sorts them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Match, Optional, Tuple
from urllib.parse import urlsplit

from audacitorch.errors import AudacitorchError
from audacitorch.github.tracker import Comment, Issue
from audacitorch.http import one_line
from audacitorch.request.mentions import MOST_SHOWN, Mention, Mentioned, Question, mentions_in

RECHECK = "recheck"
ACCEPT = "accept"
DECLINE = "decline"

_LARGEST_EVENT = 1 << 24
_LONGEST_REASON = 1000
#: A longer comment gives no command: nested Markdown takes time in proportion to the square of its length.
_LONGEST_COMMENT = 8_000
_COMMAND = re.compile(r"/(recheck|accept|decline)(?:[ \t]+([^\n]*))?(?:\n|\Z)", re.IGNORECASE)
#: What ends a line for some readers and not for others, or not for CommonMark.
_OTHER_BREAKS = re.compile("\r(?!\n)|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_COMMAND_AFTER_BREAK = re.compile(
    "(?:^|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029])[ \t]*/(recheck|accept|decline)(?![\\w-])", re.IGNORECASE
)
#: A table that GitHub sees where markdown-it sees a paragraph: its first line needs no upright stroke there.
_TABLE_HEAD = re.compile(r"[^\n]*\n[ \t]*(?:\|[ \t]*:?-+:?[ \t]*\|?|:?-+:?[ \t]*\|)[ \t|:-]*(?:\n|\Z)")
#: What mail programs that don't mark lines put above the mail that they quote: an answer by mail is a comment.
_QUOTED_MAIL = re.compile(
    r"^[ \t]*(?:[-_]{8,}|-{2,}[^\n]*-{2,}|(?:from|sent|von|gesendet|de|envoyé|enviado|da|inviato|van|verzonden)[ \t]*:"
    r"|[^\n]*(?:wrote|schrieb|écrit|escribió|escreveu|scritto|schreef)[^\n]{0,80}:)[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_HARMLESS_TAG = re.compile(r"<!--.*-->|</?(?:br|img|hr)\b[^>]*>", re.IGNORECASE | re.DOTALL)
_WHOLE_HTML_COMMENT = re.compile(r"\s*<!--(?:(?!-->).)*-->\s*", re.DOTALL)

_ODD_BREAKS = (
    "The comment holds line breaks that are not shown as such everywhere, as copied text may. Please write the command"
    " in a comment of its own."
)
_TOO_LONG = (
    f"A comment of more than {_LONGEST_COMMENT:,} characters gives no command. Please write it in a comment of its own."
)
_AFTER_MAIL = "The command stands below what looks like a quoted mail. Please write it in a comment of its own."
_SEVERAL = "The comment holds more than one command. Please write the one that you mean in a comment of its own."
_IN_HTML = "The comment holds HTML around the command. Please write the command in a comment of its own."

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


class EventError(AudacitorchError):
    """The event can't be read, or is not about an issue."""

    exit_status = 2


@dataclass(frozen=True)
class Command:
    """A command and what follows it: the commit of an acceptance, the reason of a refusal.

    ``unclear`` says, as a sentence, why it must not be followed: its author may have seen something else.
    """

    name: str
    argument: str = ""
    unclear: str = ""


@dataclass(frozen=True)
class Event:
    """What started us: an issue, a comment on one, or a person who gave an issue's number."""

    number: int
    action: str = ""
    issue: Optional[Issue] = None
    comment: Optional[Comment] = None

    @property
    def command(self) -> Optional[Command]:
        """The command of a new comment that a person wrote; None for anything else."""
        if self.comment is None or self.comment.by_bot or self.action not in ("created", ""):
            return None
        return command_in(self.comment.body)


def read_event(path: Path) -> Event:
    """The event in the file that GitHub calls ``GITHUB_EVENT_PATH``.

    Raises:
        EventError: it can't be read, is not about a request, or names no issue.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_EVENT + 1)
        if len(content) > _LARGEST_EVENT:
            raise EventError(f"The event has more than {_LARGEST_EVENT:,} bytes.")
        data = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise EventError(f"The event can't be read: {one_line(str(error))}.") from error
    if not isinstance(data, Mapping):
        raise EventError("The event is not a JSON object.")
    if "issue" not in data and isinstance(data.get("inputs"), Mapping):
        return Event(_number(data["inputs"].get("issue")), "dispatched")
    try:
        issue = Issue.from_json(data.get("issue"))
        comment = Comment.from_json(data["comment"]) if data.get("comment") is not None else None
    except ValueError as error:
        raise EventError(f"The event can't be read: {error}") from error
    action = data.get("action")
    return Event(issue.number, action if isinstance(action, str) else "", issue, comment)


def _number(text: Any) -> int:
    said = str(text).strip().lstrip("#")
    if not said.isascii() or not said.isdigit() or len(said) > 9 or int(said) < 1:
        raise EventError("The event names no issue.")
    return int(said)


def command_in(comment: str) -> Optional[Command]:
    """The first command of a comment: a paragraph of its own that begins with it; None where there is none."""
    mentioned = _COMMAND_AFTER_BREAK.search(comment)
    if mentioned is None:
        return None
    if len(comment) > _LONGEST_COMMENT:
        return Command(mentioned.group(1).lower(), unclear=_TOO_LONG)
    if _OTHER_BREAKS.search(comment):
        return Command(mentioned.group(1).lower(), unclear=_ODD_BREAKS)
    return _command_in_paragraph(comment)


def _command_in_paragraph(text: str) -> Optional[Command]:
    """The command in a paragraph at the top level of the comment."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark").enable("table").disable("reference")
    tokens: List[Any] = []
    markdown.block.parse(text.replace("\r\n", "\n").replace("\0", "\ufffd"), markdown, {}, tokens)
    found: Optional[Command] = None
    unclear = ""
    paragraphs: List[str] = []
    for before, token in zip([None, *tokens], tokens):
        if token.type == "html_block" and token.level == 0 and found is None:
            unclear = unclear or ("" if _WHOLE_HTML_COMMENT.fullmatch(token.content) else _IN_HTML)
        if token.type != "inline" or before is None or before.type != "paragraph_open" or before.level != 0:
            continue
        command = None if _TABLE_HEAD.match(token.content) else _COMMAND.match(token.content)
        if found is None and command is None:
            unclear = unclear or _unclear_after(token.content, markdown)
        elif found is None and command is not None:
            found, said = _parsed(command), token.content[command.end() :]
            paragraphs = [said]
        elif command is not None:
            unclear = unclear or ("" if _parsed(command) == found else _SEVERAL)
        else:
            paragraphs.append(token.content)
    if found is None or unclear:
        return found and Command(found.name, unclear=unclear)
    if found.name == DECLINE and not found.argument:
        said = " ".join(" ".join(paragraph.split()) for paragraph in paragraphs).strip()
        found = Command(found.name, said)
    return Command(found.name, found.argument[:_LONGEST_REASON])


def _parsed(command: Match[str]) -> Command:
    """A command with what belongs to it: a commit is one word, and what else is said there is for people."""
    name, said = command.group(1).lower(), (command.group(2) or "").split()
    return Command(name, {DECLINE: " ".join(said), ACCEPT: said[0] if said else ""}.get(name, ""))


def _unclear_after(paragraph: str, markdown: Any) -> str:
    """Why what follows this paragraph may not be its author's own words; empty if nothing says so."""
    if _QUOTED_MAIL.search(paragraph):
        return _AFTER_MAIL
    if "<" not in paragraph:
        return ""
    inline: List[Any] = []
    markdown.inline.parse(paragraph, markdown, {}, inline)
    tags = (token.content for token in inline if token.type == "html_inline")
    return "" if all(_HARMLESS_TAG.fullmatch(tag) for tag in tags) else _IN_HTML


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
