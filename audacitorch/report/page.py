"""What report.html shows beyond the other formats: findings by file, and sounds on a time axis.

Everything here is numbers and text as it came; the template escapes it. Places on an axis are in percent, so that
pictures need no style of their own and the page's policy can forbid inline styles.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

from markupsafe import Markup

from audacitorch.findings import Finding
from audacitorch.report import measured
from audacitorch.report.content import Group, groups
from audacitorch.report.model import Report

if TYPE_CHECKING:
    from audacitorch.hear.listening import Heard, HostLabels
    from audacitorch.hear.pictures import Sound

Tick = Tuple[float, str]

_OF_THE_MODEL = ("Target", "Revision", "Model", "SHA-256", "Archive", "Operators", "Audio", "Labels")
_OF_THE_WALLS = ("Sandbox",)
#: Hints that are a command and nothing else.
_COMMANDS = ("git ", "audacitorch ", "pip ", "scripts/")
#: Of more classes in one clip, the rest are counted.
_MOST_CLASSES = 16
_MOST_LABELS = 400
_MOST_OPERATORS = 500


def by_file(report: Report) -> List[Tuple[str, List[Group]]]:
    """The findings in groups, by the file that has to change; what belongs to no file comes last."""
    files: Dict[str, List[Group]] = {}
    for group in groups(report):
        for name in dict.fromkeys(finding.file or "" for finding in group.findings):
            own = tuple(finding for finding in group.findings if (finding.file or "") == name)
            files.setdefault(name, []).append(Group(group.rule, group.severity, group.hosts, own))
    return sorted(files.items(), key=lambda item: not item[0])


def quoted(report: Report, finding: Finding) -> Tuple[str, str]:
    """The line that a finding is about, and where it stands; empty where none is known."""
    if finding.file and finding.line and (finding.file, finding.line) in report.excerpts:
        return report.excerpts[(finding.file, finding.line)], f"{finding.file}:{finding.line}"
    source, member = finding.details.get("source"), finding.details.get("member")
    if isinstance(source, str) and source.strip() and isinstance(member, str):
        return source.strip(), f"{member}:{finding.details.get('member_line')}"
    return "", ""


def remedy(hint: str) -> Tuple[str, str]:
    """A hint's sentence, and what of it is to be copied."""
    if hint.startswith(_COMMANDS):
        return "Run:", hint
    sentence, _, snippet = hint.partition("\n")
    return sentence, snippet


def sections(report: Report) -> List[Tuple[str, List[measured.Row]]]:
    """Every fact, under three titles."""
    rows = measured.rows(report)
    model = [row for row in rows if row[0] in _OF_THE_MODEL]
    walls = [row for row in rows if row[0] in _OF_THE_WALLS]
    rest = [row for row in rows if row not in model and row not in walls]
    named = (("The model", model), ("The walls around it", walls), ("The check", rest))
    return [(title, found) for title, found in named if found]


def operators(report: Report) -> List[Tuple[str, int]]:
    """The archive's operators with their calls, the most frequent first."""
    calls = report.archive.operators if report.archive is not None else {}
    return sorted(calls.items(), key=lambda item: (-item[1], item[0]))[:_MOST_OPERATORS]


def data_uri(content: bytes, kind: str) -> Markup:
    """Bytes as an address that holds them; base64 has nothing that a page could take for markup."""
    return Markup(f"data:{kind};base64,{b64encode(content).decode('ascii')}")  # noqa: S704


def path(drawn: str) -> Markup:
    """An SVG path of our own: numbers and letters."""
    return Markup(drawn)  # noqa: S704


def time_ticks(heard: Heard) -> List[Tick]:
    """Whole or half seconds of a clip."""
    length = heard.clip.seconds
    step = next((step for step in (0.01, 0.1, 0.5, 1.0, 2.0) if length / step <= 9), 5.0)
    return [(100 * number * step / length, f"{number * step:g} s") for number in range(int(length / step) + 1)]


def seams(heard: Heard) -> List[float]:
    """Where blocks meet, in percent of the clip."""
    return [100 * seam / len(heard.clip.samples) for seam in heard.clip.seams]


def marks(heard: Heard) -> List[Tick]:
    """The names of a clip's parts, where they begin."""
    return [(100 * start / heard.clip.seconds, name) for start, name in heard.clip.marks]


def frequencies(heard: Heard) -> List[Tick]:
    """What to mark at the spectrograms' side."""
    from audacitorch.hear.pictures import frequency_ticks

    return frequency_ticks(heard.clip.rate)


def levels(sound: Sound) -> str:
    """Peak and RMS in dB of full scale."""
    if sound.peak_db is None:
        return "silent"
    beyond = ", beyond full scale: clipped in the player" if sound.beyond_full_scale else ""
    return f"peak {_signed(sound.peak_db)} dBFS, RMS {_signed(sound.rms_db)} dBFS{beyond}"


def _signed(value: Optional[float]) -> str:
    return "−∞" if value is None else f"{value:.1f}".replace("-", "−")


def strips(heard: Heard) -> List[Tuple[str, HostLabels]]:
    """The label tracks of a clip with a title each: one for all hosts where they draw the same."""
    first, *others = heard.labels
    if all((other.labels, bool(other.problem)) == (first.labels, bool(first.problem)) for other in others):
        return [("Labels, the same for every host", first)]
    return [(f"Labels by {drawn.host.title}", drawn) for drawn in heard.labels]


def beside(shown: Sequence[Tuple[str, HostLabels]]) -> bool:
    """Whether label tracks are shown side by side: two and more that have labels."""
    return sum(bool(drawn.labels) for _, drawn in shown) > 1


def classes(report: Report, drawn: HostLabels, seconds: float) -> List[Tuple[str, List[Tuple[float, float, str]]]]:
    """Labels by class, in the metadata's order: left, width (both in percent) and a title each."""
    rows: Dict[str, List[Tuple[float, float, str]]] = {}
    for start, end, text in drawn.labels[:_MOST_LABELS]:
        left = min(100.0, max(0.0, 100 * start / seconds))
        width = max(0.4, min(100.0, 100 * end / seconds) - left)
        rows.setdefault(text, []).append((round(left, 2), round(width, 2), f"{text}: {start:.2f} to {end:.2f} s"))
    named = report.fields.get("labels")
    order = {str(name): number for number, name in enumerate(named if isinstance(named, (list, tuple)) else ())}
    return sorted(rows.items(), key=lambda row: order.get(row[0], len(order)))[:_MOST_CLASSES]


def hidden_classes(drawn: HostLabels) -> int:
    """How many classes :func:`classes` leaves out."""
    return max(0, len({label.text for label in drawn.labels}) - _MOST_CLASSES)


def label_lines(drawn: HostLabels) -> Sequence[Tuple[str, str, str]]:
    """The label track as rows: start, end, label."""
    return [(f"{start:.3f}", f"{end:.3f}", text) for start, end, text in drawn.labels[:_MOST_LABELS]]
