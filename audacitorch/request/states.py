"""Where a request stands: the states, which are labels of its issue, and the few facts that go with them."""

from __future__ import annotations

from typing import Dict, Iterable, List

NEEDS_INFO = "needs-info"
NEEDS_CHANGES = "needs-changes"
READY = "ready-for-review"
COULD_NOT_CHECK = "could-not-check"
ACCEPTED = "accepted"
DECLINED = "declined"

#: What the machine may decide by itself; the other two take a maintainer.
TRIAGE_STATES = (NEEDS_INFO, NEEDS_CHANGES, READY, COULD_NOT_CHECK)
STATES = (*TRIAGE_STATES, ACCEPTED, DECLINED)
#: The label that the issue form gives.
REQUEST_LABEL = "model-contrib"
TITLE = "Built-in Model Request"

#: Whom a request in each state waits for.
WAITS_FOR: Dict[str, str] = {
    NEEDS_INFO: "the contributor, to answer the question",
    NEEDS_CHANGES: "the contributor, to mend the model repo",
    READY: "a maintainer, to accept or decline",
    COULD_NOT_CHECK: "the next try, which comes by itself",
    ACCEPTED: "a maintainer, to merge the pull request",
    DECLINED: "nobody",
}


def labels_for(state: str, present: Iterable[str]) -> Dict[str, List[str]]:
    """The labels to add and to remove so that ``state`` is the only state among those ``present``."""
    there = set(present)
    return {
        "add": [name for name in (REQUEST_LABEL, state) if name not in there],
        "remove": [name for name in STATES if name != state and name in there],
    }
