"""Repos that a text mentions: ids and addresses, as people write them, and what is nearly one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Collection, Dict, List, Optional, Tuple, Union
from urllib.parse import unquote, urlsplit

from audacitorch.hub.failures import InvalidRepoId
from audacitorch.hub.repos import is_commit, parse_repo_id

HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
MOST_SHOWN = 5
_LONGEST_SHOWN = 200
#: A text that names this many repos is not about one of them; the others are not looked at.
_MOST_KEPT = 100
#: Where one mention ends: blanks, markup, quotes, and the marks that languages put between words.
_BETWEEN = re.compile(r"[\s<>()\[\]{}\"'`“”‘’«»„|*,;，、。；：！？（）【】「」]+")
_EDGES = ".:!?~=-&#"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_SSH = re.compile(r"(?:ssh://)?git@([^:/]+)[:/](.+)", re.IGNORECASE)
_ID_LIKE = re.compile(r"[^\s/\\]+[/\\][^\s/\\]+")
_SPACED_ID = re.compile(r"\s*@?([\w.-]+)\s*[/\\]\s*([\w.-]+(?:@[\w./-]+)?)\s*")
#: Words with a slash between them that do not name a repo.
_WORDS = frozenset(
    ("and/or", "n/a", "w/o", "w/out", "input/output", "in/out", "i/o", "mono/stereo", "on/off", "yes/no", "either/or")
)
#: First parts of the Hub's addresses that are pages and not authors.
_PAGES = frozenset(
    ("api", "blog", "chat", "collections", "docs", "enterprise", "join", "learn", "login", "models", "new", "papers")
)
_OF_OTHER_KINDS = {"datasets": "dataset", "spaces": "space"}
#: Pages inside a repo whose address continues with a revision.
_INSIDE = ("blob", "resolve", "raw", "edit", "delete", "commit", "commits", "blame")


@dataclass(frozen=True)
class Mention:
    """A repo that somebody named, and the revision, if they named one."""

    repo_id: str
    revision: Optional[str] = None

    @property
    def text(self) -> str:
        """``author/name[@revision]``."""
        return self.repo_id if self.revision is None else f"{self.repo_id}@{self.revision}"


@dataclass(frozen=True)
class Question:
    """Why no single repo is meant: a kind, what was found instead, and ids that may be meant.

    Kinds: ``empty``, ``several``, ``file``, ``dataset``, ``space``, ``profile``, ``elsewhere``, ``malformed``.
    """

    kind: str
    found: Tuple[str, ...] = ()
    near: Tuple[str, ...] = ()


Mentioned = Union[Mention, Question]


@dataclass
class Mentions:
    """What a text mentions: certainly (addresses, ids in a field), possibly (words with a slash), and nearly."""

    text: str
    sure: Dict[str, Mention] = field(default_factory=dict)
    loose: Dict[str, Mention] = field(default_factory=dict)
    questions: List[Question] = field(default_factory=list)

    def add(self, found: Mentioned, loose: bool) -> None:
        """Add one; the same repo twice is one, and a revision says more than none."""
        if isinstance(found, Question):
            self.questions.append(found)
            return
        if len(self.loose if loose else self.sure) >= _MOST_KEPT:
            return
        mentions = self.loose if loose else self.sure
        key = found.text.lower()
        if found.revision is None and any(known.repo_id.lower() == key for known in mentions.values()):
            return
        mentions.pop(found.repo_id.lower(), None)
        mentions.setdefault(key, found)

    def decided(self, strict: bool) -> Mentioned:
        """The one repo that is meant, or what to ask; ``strict`` where the text holds nothing but the repo's id."""
        for mention in self.loose.values() if strict else ():
            self.add(mention, loose=False)
        if not self.sure and len(self.loose) == 1:
            self.sure = dict(self.loose)
        if len(self.sure) > 1:
            return Question("several", tuple(mention.text for mention in self.sure.values())[:MOST_SHOWN])
        if self.sure:
            return next(iter(self.sure.values()))
        if self.questions:
            return self._clearest()
        words = self.text.split()
        if strict and words:
            spaced = _SPACED_ID.fullmatch(self.text)
            repaired = _as_id(f"{spaced.group(1)}/{spaced.group(2)}") if spaced else None
            shown = self.text.strip().strip("`*<>\"'")[:_LONGEST_SHOWN]
            return repaired or Question("malformed", (shown,))
        return Question("empty")

    def _clearest(self) -> Question:
        order = ("file", "dataset", "space", "profile", "malformed", "elsewhere")
        kind = min((question.kind for question in self.questions), key=order.index)
        alike = [question for question in self.questions if question.kind == kind]
        found = tuple(dict.fromkeys(text for question in alike for text in question.found))[:MOST_SHOWN]
        near = tuple(dict.fromkeys(text for question in alike for text in question.near))[:MOST_SHOWN]
        return Question(kind, found, near)


def mentions_in(text: str, hosts: Collection[str] = ()) -> Mentions:
    """Everything in ``text`` that names a repo, or nearly."""
    known_hosts = {*HUB_HOSTS, *(host.lower() for host in hosts)}
    mentions = Mentions(text)
    for word in _BETWEEN.split(_apart(text)):
        token = word.strip(_EDGES).rstrip("/\\")
        if token.startswith("_") and token.endswith("_"):  # so is a word in italics written
            token = token.strip("_")
        if "/" not in token and "\\" not in token and "%2f" not in token.lower():
            continue
        address = _address(token, known_hosts)
        found = _from_word(token) if address is None else _from_address(*address, token, known_hosts)
        if found is not None:
            mentions.add(found, loose=address is None)
    return mentions


def _apart(text: str) -> str:
    """``text`` with blanks for letters of scripts that put none between words (かな, 漢字), and for pictures."""
    if text.isascii():
        return text
    return "".join(" " if unicodedata.category(c) in ("Lo", "Lm", "So") else c for c in text)


def _address(token: str, hosts: Collection[str]) -> Optional[Tuple[str, str]]:
    """Host and path of an address; None if the token is not an address."""
    ssh = _SSH.fullmatch(token)
    if ssh:
        return ssh.group(1).lower(), ssh.group(2)
    host = token.partition("/")[0].lower()
    try:
        if token.lower().startswith("hf://"):
            return HUB_HOSTS[0], token[5:]
        if _SCHEME.match(token) and "//" in token:
            parts = urlsplit(token)
        elif host in hosts or (host.count(".") and token.count("/") > 1):
            parts = urlsplit("https://" + token)
        else:
            return None
        return parts.netloc.rpartition("@")[2].lower(), parts.path
    except ValueError:
        return None


def _from_address(host: str, path: str, token: str, hosts: Collection[str]) -> Optional[Mentioned]:
    if host not in hosts and host.partition(":")[0] not in hosts:
        return Question("elsewhere", (token[:_LONGEST_SHOWN],))
    parts = [unquote(part) for part in path.split("/") if part]
    if parts[:2] == ["api", "models"] or (parts[:1] == ["models"] and len(parts) > 2):
        parts = parts[2:] if parts[0] == "api" else parts[1:]
    return _from_path(parts, token)


def _from_path(parts: List[str], token: str) -> Optional[Mentioned]:
    """The repo that a path on the Hub is in."""
    shown = (token[:_LONGEST_SHOWN],)
    if not parts or parts[0] in _PAGES:
        return None
    if parts[0] in _OF_OTHER_KINDS:
        return Question(_OF_OTHER_KINDS[parts[0]], shown)
    if len(parts) == 1:
        return Question("profile", shown)
    name = parts[1][:-4] if parts[1].endswith(".git") else parts[1]
    if len(parts) == 2:
        return _as_id(f"{parts[0]}/{name}") or Question("malformed", shown)
    found = _as_id(f"{parts[0]}/{name}")
    if found is None:
        return Question("malformed", shown)
    if parts[2] == "tree" and len(parts) == 4:
        return _as_id(f"{found.repo_id}@{parts[3]}") or Question("file", shown, (found.text,))
    if parts[2] == "tree" and len(parts) == 3:
        return found
    revision = parts[3] if parts[2] in _INSIDE and len(parts) > 3 and is_commit(parts[3]) else None
    return Question("file", shown, (Mention(found.repo_id, revision).text,))


def _from_word(token: str) -> Optional[Mentioned]:
    """The repo that a word with a slash in it names."""
    word = unquote(token).replace("\\", "/").lstrip("@")
    if word.lower() in _WORDS:
        return None
    parts = word.partition("@")[0].split("/")
    if len(parts) > 2:
        return _from_path(parts[1:] if parts[0] == "models" else [part for part in parts if part], token)
    if not _ID_LIKE.fullmatch(word.partition("@")[0]):
        return None
    # "16/44.1" and "1/2" are numbers, and "a/b" of single letters is a unit.
    if not any(c.isalpha() for c in parts[0] + parts[1]) or max(map(len, parts)) < 2:
        return None
    if parts[0] in _OF_OTHER_KINDS:
        return Question(_OF_OTHER_KINDS[parts[0]], (token[:_LONGEST_SHOWN],))
    return _as_id(word) or Question("malformed", (token[:_LONGEST_SHOWN],))


def _as_id(text: str) -> Optional[Mention]:
    try:
        return Mention(*parse_repo_id(text))
    except InvalidRepoId:
        return None
