"""What a request's comment says about its state, in sentences; whatever came from others is made safe to show here."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Sequence

from audacitorch.report.escape import markdown_code
from audacitorch.request.decision import Decision, Reason
from audacitorch.request.states import ACCEPTED, COULD_NOT_CHECK, DECLINED, NEEDS_CHANGES, NEEDS_INFO, READY

TITLES: Dict[str, str] = {
    NEEDS_INFO: "❔ A question about this request",
    NEEDS_CHANGES: "❌ Needs changes",
    READY: "✅ Ready for review",
    COULD_NOT_CHECK: "⚠️ Could not be checked yet",
    ACCEPTED: "✅ Accepted",
    DECLINED: "❌ Declined",
}
_FORM = "`author/name`, as the model's page on the Hub shows it"
_EDIT = "Please edit the repo id at the top of this issue: the check starts by itself."


def next_sentence(state: str) -> str:
    """What has to happen next, and who can make it happen."""
    return {
        NEEDS_INFO: _EDIT,
        NEEDS_CHANGES: "Mend what is listed below and push it to the model repo, then comment `/recheck` here.",
        READY: "A maintainer looks at it, and answers with `/accept` or `/decline REASON`.",
        COULD_NOT_CHECK: "This says nothing about the model. It is tried again by itself until it works; `/recheck`"
        " tries at once.",
    }[state]


def reason_text(decision: Decision) -> Optional[str]:
    """The question to the contributor, or why there is no verdict; None where the report says it all."""
    if decision.reason is None:
        return None
    return _SENTENCES[decision.reason.kind](decision.reason)


def _codes(texts: Sequence[str]) -> str:
    return ", ".join(markdown_code(text, 200) for text in texts)


def _first(reason: Reason) -> str:
    return markdown_code(reason.about[0], 200) if reason.about else "this"


def _guess(reason: Reason) -> str:
    return f" Is it {' or '.join(markdown_code(text, 200) for text in reason.near)}?" if reason.near else ""


def _empty(reason: Reason) -> str:
    return (
        f"There is no repo id in this request. Which model repo on the HuggingFace Hub is it: {_FORM}?{_guess(reason)}"
    )


def _several(reason: Reason) -> str:
    return (
        f"This request names more than one model repo: {_codes(reason.about)}. Which one is it for? A request is for"
        " one model; please open another one for each of the others."
    )


def _file(reason: Reason) -> str:
    return f"{_first(reason)} is the address of a page or a file inside a repo, not of the repo.{_guess(reason)}"


def _other_kind(noun: str) -> Callable[[Reason], str]:
    return lambda reason: (
        f"{_first(reason)} is a {noun}, and Audacity lists model repos. Which model repo is it: {_FORM}?"
        f"{_guess(reason)}"
    )


def _profile(reason: Reason) -> str:
    return f"{_first(reason)} is the page of a person or an organization. Which of its models is it: {_FORM}?"


def _elsewhere(reason: Reason) -> str:
    return (
        f"{_first(reason)} is not on the HuggingFace Hub, where Audacity gets its models from. Which model repo there"
        f" is it: {_FORM}?"
    )


def _malformed(reason: Reason) -> str:
    return f"{_first(reason)} is no repo id. Which model repo is it: {_FORM}?{_guess(reason)}"


def _not_found(reason: Reason) -> str:
    return (
        f"The Hub has no public model repo {_first(reason)}: it is misspelt, private, or gone. Audacity's users need no"
        f" account, so it has to be public.{_guess(reason)}"
    )


def _revision(reason: Reason) -> str:
    known, asked = (*reason.about, "", "")[:2]
    return (
        f"{markdown_code(known, 200)} has no branch, tag or commit {markdown_code(asked, 200)}. Audacity always"
        " downloads `main`: without `@` and what follows it, that is what is checked."
    )


def _gated(reason: Reason) -> str:
    return (
        f"{_first(reason)} is gated: its files are given to people with an account whom its author has let in. Audacity"
        " downloads without an account, so gating has to be switched off in the repo's settings."
    )


def _refused(reason: Reason) -> str:
    return (
        f"The Hub gives {_first(reason)} to nobody without an account. Audacity has none, so the repo has to be open."
    )


def _not_main(reason: Reason) -> str:
    asked, head = (*reason.about, "", "")[:2]
    return (
        f"The model passes at {markdown_code(asked, 200)}, but Audacity always downloads `main`, which is at"
        f" {markdown_code(head, 60)}. Make it `main`, or take `@` and what follows it out of the repo id."
    )


def _hub(reason: Reason) -> str:
    return f"The HuggingFace Hub could not be asked: {_first(reason)}"


def _internal(reason: Reason) -> str:
    return f"The check itself failed, which is our mistake: {_first(reason)}"


_SENTENCES: Dict[str, Callable[[Reason], str]] = {
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
    "hub": _hub,
    "internal": _internal,
}
