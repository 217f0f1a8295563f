"""The statuses of a model repo, as one table: the command line, the schema, the pages and the docs read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List

UNTESTED = "untested"
COMPATIBLE = "compatible"
INCOMPATIBLE = "incompatible"
NOT_A_MODEL = "not-a-model"
UNREACHABLE = "unreachable"
GONE = "gone"

#: How a page marks a status: by a colour. Green is for every host only.
GOOD, PARTLY, WAITING, BAD, NONE = "good", "partly", "waiting", "bad", "none"


@dataclass(frozen=True)
class Status:
    """A status: what it means, and what follows from it.

    Attributes:
        mark: how pages show it; ``compatible`` is :data:`PARTLY` unless every host runs the model.
        broken: whether a model that gets it has stopped to work.
        testable: whether a trial of the model makes sense.
        has_page: whether the page of the registry has a row for it.
    """

    name: str
    meaning: str
    mark: str
    broken: bool = False
    testable: bool = False
    has_page: bool = True


STATUSES: Dict[str, Status] = {
    status.name: status
    for status in (
        Status(UNTESTED, "no error is known, and what is there now has not been run", WAITING, testable=True),
        Status(COMPATIBLE, "it was run, and passes for at least one host, which is named", GOOD, testable=True),
        Status(
            INCOMPATIBLE,
            "every host has an error, from the files alone or from a trial",
            BAD,
            broken=True,
            testable=True,
        ),
        Status(NOT_A_MODEL, "model.pt or metadata.json is missing in the top folder", NONE, has_page=False),
        Status(
            UNREACHABLE,
            "it is gated or disabled; or it is listed and could not be read in refreshes a day apart (at once if new)",
            BAD,
            broken=True,
        ),
        Status(GONE, "the listing lacked it in refreshes at least 24 hours apart", BAD, broken=True, has_page=False),
    )
}


def compatible_with(passing: List[str], hosts: int) -> str:
    """The status of a model that passes for the hosts with these titles, of so many hosts."""
    if len(passing) == hosts:
        return f"compatible with {'both' if hosts == 2 else 'all'} hosts"
    return f"compatible with {' and '.join(passing)} only"
