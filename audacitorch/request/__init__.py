"""Built-in requests: from a contributor's issue to a line in the built-in list.

`triage` reads the issue, checks the model and writes a decision; `answer` shows a decision on GitHub; `accept` and
`decline` do what a maintainer says. What runs a stranger's model holds no token, and what holds a token reads nothing
but the decision.

Here are the states of a request, which are labels of its issue, and the reasons for them, each with what the comment
says. Whatever came from others is made safe to show here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Tuple

from audacitorch.safetext import markdown_code

NEEDS_INFO = "needs-info"
NEEDS_CHANGES = "needs-changes"
READY = "ready-for-review"
COULD_NOT_CHECK = "could-not-check"
ACCEPTED = "accepted"
DECLINED = "declined"

#: The label that the issue form gives.
REQUEST_LABEL = "model-contrib"

_RECHECK = ("/recheck", "checks the model repo as it is now")
_ACCEPT = ("/accept", "opens the pull request that adds the checked commit to the list")
_DECLINE = ("/decline REASON", "tells the contributor why, and closes the request")


@dataclass(frozen=True)
class State:
    """One state: its title, whom it waits for, what happens next, and the commands that make sense in it."""

    title: str
    waits_for: str
    next: str = ""
    commands: Tuple[Tuple[str, str], ...] = ()


STATES: Dict[str, State] = {
    NEEDS_INFO: State(
        "❔ A question about this request",
        "the contributor, to answer the question",
        "Please edit the repo id at the top of this issue. The check then starts by itself.",
        (_DECLINE,),
    ),
    NEEDS_CHANGES: State(
        "❌ Needs changes",
        "the contributor, to fix the model repo",
        "Fix what is listed below, push it to the model repo, and comment `/recheck` here.",
        (_RECHECK, _DECLINE),
    ),
    READY: State(
        "✅ Ready for review",
        "a maintainer, to accept or decline",
        "A maintainer looks at it, and answers with `/accept` or `/decline REASON`.",
        (_ACCEPT, _DECLINE, _RECHECK),
    ),
    COULD_NOT_CHECK: State(
        "⚠️ Could not be checked yet",
        "the next try, which starts by itself",
        "This says nothing about the model. The check is repeated every six hours until it works; `/recheck` starts it"
        " at once.",
        (_RECHECK, _DECLINE),
    ),
    ACCEPTED: State("✅ Accepted", "a maintainer, to merge the pull request"),
    DECLINED: State("❌ Declined", "nobody"),
}
#: What the machine may decide by itself; the other two take a maintainer.
TRIAGE_STATES = (NEEDS_INFO, NEEDS_CHANGES, READY, COULD_NOT_CHECK)


def labels_for(state: str, present: Iterable[str]) -> Dict[str, List[str]]:
    """The labels to add and to remove so that ``state`` is the only state among those ``present``."""
    there = set(present)
    return {
        "add": [name for name in (REQUEST_LABEL, state) if name not in there],
        "remove": [name for name in STATES if name != state and name in there],
    }


@dataclass(frozen=True)
class Reason:
    """Why there is no verdict: a kind, what it is about, and ids that may be meant.

    Kinds are those of :class:`~audacitorch.request.mentions.Question`; what the Hub answers: ``not-found``,
    ``revision``, ``gated``, ``refused``; ``not-main``, a pass that is of no use; and our failures: ``too-long``,
    ``hub`` and ``internal``.
    """

    kind: str
    about: Tuple[str, ...] = ()
    near: Tuple[str, ...] = ()

    def text(self) -> str:
        """The question to the contributor, or why there is no verdict, in sentences of Markdown."""
        return SENTENCES[self.kind](self)

    @property
    def first(self) -> str:
        """What it is about, as code."""
        return markdown_code(self.about[0], 200) if self.about else "this"

    @property
    def guess(self) -> str:
        """The ids that may be meant, as a question."""
        return f" Is it {' or '.join(_code(text) for text in self.near)}?" if self.near else ""


_FORM = "`author/name`, as the model's page on the Hub shows it"


def _code(text: str) -> str:
    return markdown_code(text, 200)


def _pair(reason: Reason) -> Tuple[str, str]:
    first, second = (*reason.about, "", "")[:2]
    return _code(first), _code(second)


def _empty(reason: Reason) -> str:
    return f"This request has no repo id. Which model repo on the HuggingFace Hub is it: {_FORM}?{reason.guess}"


def _several(reason: Reason) -> str:
    return (
        f"This request names more than one model repo: {', '.join(map(_code, reason.about))}. Which one is it for? A"
        " request is for one model; please open another one for each of the others."
    )


def _file(reason: Reason) -> str:
    return f"{reason.first} is the address of a page or a file inside a repo, not of the repo.{reason.guess}"


def _other_kind(noun: str) -> Callable[[Reason], str]:
    return lambda reason: (
        f"{reason.first} is a {noun}, and Audacity lists model repos. Which model repo is it: {_FORM}?{reason.guess}"
    )


def _profile(reason: Reason) -> str:
    return f"{reason.first} is the page of a person or an organization. Which of its models is it: {_FORM}?"


def _elsewhere(reason: Reason) -> str:
    return (
        f"{reason.first} is not on the HuggingFace Hub, where Audacity gets its models from. Which model repo there is"
        f" it: {_FORM}?"
    )


def _malformed(reason: Reason) -> str:
    return f"{reason.first} is not a repo id. Which model repo is it: {_FORM}?{reason.guess}"


def _not_found(reason: Reason) -> str:
    return (
        f"The Hub has no public model repo {reason.first}: it is misspelled, private, or deleted. Audacity's users need"
        f" no account, so it has to be public.{reason.guess}"
    )


def _revision(reason: Reason) -> str:
    repo, asked = _pair(reason)
    return (
        f"{repo} has no branch, tag or commit {asked}. Audacity always downloads `main`, and that is what is checked if"
        " you leave out `@` and what follows it."
    )


def _gated(reason: Reason) -> str:
    return (
        f"{reason.first} is gated: only people with an account whom its author has admitted get its files. Audacity"
        " downloads without an account, so gating has to be switched off in the repo's settings."
    )


def _refused(reason: Reason) -> str:
    return f"The Hub gives {reason.first} only to people with an account. Audacity has none, so it has to be public."


def _not_main(reason: Reason) -> str:
    asked, head = _pair(reason)
    return (
        f"The model passes at {asked}, but Audacity always downloads `main`, which is at {head}. Make that commit"
        " `main`, or remove `@` and what follows it from the repo id."
    )


def _too_long(reason: Reason) -> str:
    return f"The check of {reason.first} was stopped at its time limit."


def _hub(reason: Reason) -> str:
    return f"The HuggingFace Hub could not be asked: {reason.first}"


def _internal(reason: Reason) -> str:
    return f"The check itself failed, which is our mistake: {reason.first}"


#: What the comment says for each kind of reason.
SENTENCES: Dict[str, Callable[[Reason], str]] = {
    "empty": _empty,
    "several": _several,
    "file": _file,
    "dataset": _other_kind("dataset"),
    "space": _other_kind("space"),
    "profile": _profile,
    "elsewhere": _elsewhere,
    "malformed": _malformed,
    "not-found": _not_found,
    "revision": _revision,
    "gated": _gated,
    "refused": _refused,
    "not-main": _not_main,
    "too-long": _too_long,
    "hub": _hub,
    "internal": _internal,
}
