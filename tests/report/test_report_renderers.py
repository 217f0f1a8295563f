"""What holds for every renderer: hostile text is escaped, the first line says it, limits are kept."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from audacitorch.facts import Archive, Metadata
from audacitorch.findings import BECAUSE_OF, CouldNotRun, Finding, Skipped
from audacitorch.hosts import ALPHA, HOSTS, SPEC
from audacitorch.report import annotations as commands
from audacitorch.report import content, jsonfile, markdown, page, sarif, text
from audacitorch.report.formats import write_reports
from audacitorch.report.model import Report, Target
from audacitorch.report.rules_doc import RULES_URL
from audacitorch.safetext import markdown_block, visible, visible_lines, without_commands
from audacitorch.trial.observations import Trial

from .samples import SAMPLES, effect, hostile, labeler, static, trial, undecided, voice_activity


def comment(report: Report) -> str:
    """The report as short as a comment on GitHub must be."""
    return markdown.render(report, limit=markdown.COMMENT_LIMIT)


RENDERERS = {
    "text": text.render,
    "json": jsonfile.render,
    "markdown": markdown.render,
    "comment": comment,
    "annotations": commands.render,
    "sarif": sarif.render,
    "html": page.render,
}
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
PIECES = (
    "\x1b[31m \n \r\n ::error:: :: ##[group] @octocat #1 GH-1 <script> </script> <b> </pre> </code> | ` ``` * _ [a](b) "
    "![ \\ &lt; & %0A \u202e \u2028 \ud800 \x9b \x00 - 1. # a https://evil.example www.evil.example $ ~~ {{x}} é \t"
)
NASTY = st.lists(st.sampled_from([*PIECES.split(" "), " ", "    ", "- ", "1. ", "\u3000"]), max_size=12).map("".join)

#: The only addresses in a report: where our rules are explained.
LINK = re.compile(re.escape(RULES_URL) + r"#[\w.~%-]+")


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list = []
        self.attributes: list = []
        self.links: list = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name == "href"]


def check_no_harm(name: str, shown: str) -> None:
    assert not UNSEEN.search(shown), f"{name} shows a character that nobody sees"
    shown.encode()
    commands = [line for line in shown.splitlines() if line.lstrip().startswith("::")]
    if name == "annotations":
        assert commands == shown.splitlines()
        assert all(re.match(r"::(error|warning|notice) [a-z]+=[^:]*::", line) for line in commands)
    else:
        assert not commands
    assert "##[" not in shown


@pytest.mark.parametrize("name", RENDERERS)
@given(NASTY)
@settings(max_examples=25, deadline=None)
@pytest.mark.slow
def test_hostile_text_never_comes_out_raw(name: str, nasty: str) -> None:
    check_no_harm(name, RENDERERS[name](hostile(nasty)))


@given(NASTY)
@settings(max_examples=40, deadline=None)
@pytest.mark.slow
def test_markdown_holds_no_markup_mention_or_broken_table(nasty: str) -> None:
    shown = comment(hostile(nasty))
    links = Tags(MarkdownIt("commonmark").render(shown)).links
    assert all(LINK.fullmatch(link) for link in links)
    shown = shown.replace(f"({RULES_URL}#", "(")
    assert not re.search(r"@\w|[^&]#\w", shown)
    page = Tags(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(shown))
    allowed = {"h2", "h3", "p", "ul", "li", "strong", "a", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"}
    assert set(page.tags) <= allowed
    assert set(page.attributes) <= {"style", "href"}
    plain = Tags(MarkdownIt("commonmark").enable(["table"]).render(comment(hostile("x"))))
    assert page.tags.count("table") == plain.tags.count("table") == 2
    assert page.tags.count("td") % 2 == plain.tags.count("td") % 2


@given(NASTY)
@settings(max_examples=40, deadline=None)
@pytest.mark.slow
def test_html_has_no_script_no_address_and_no_tag_of_a_stranger(nasty: str) -> None:
    shown = Tags(page.render(hostile(nasty)))
    known = Tags(page.render(hostile("x")))
    assert set(shown.tags) <= set(known.tags) | {"pre", "details", "summary", "br"}
    assert not {"script", "link", "img", "iframe"} & set(shown.tags)
    assert shown.links
    assert all(LINK.fullmatch(link) for link in shown.links)
    assert not {"src", "onclick", "onerror"} & set(shown.attributes)


@pytest.mark.parametrize("name", ["text", "markdown", "comment", "annotations", "html", "sarif"])
@pytest.mark.parametrize("made", SAMPLES.values(), ids=list(SAMPLES))
def test_every_report_says_which_hosts_run_the_model(name: str, made: Any) -> None:
    shown = RENDERERS[name](made())
    first = shown.splitlines()[0] if name in ("text", "markdown", "comment", "annotations") else shown
    assert SPEC.title in first
    assert ALPHA.title in first


def test_A75_the_report_says_which_menu_shows_the_model() -> None:
    assert 'Effect menu, under "Deep Learning Effect"' in text.render(effect())
    assert 'Analyze menu, under "Deep Learning Analyzer"' in text.render(labeler())


def test_the_first_line_tells_labelers_what_each_host_does() -> None:
    assert content.headline(labeler()).startswith("PASS for the specification; CRASHES Audacity 3.2 alpha: ")
    indices = replace(labeler(), findings=(Finding("label-format", "warning", (SPEC,), "class indices"),))
    assert "the specification (which always shows the first label) and Audacity 3.2 alpha" in content.headline(indices)


def test_a_check_that_did_not_run_the_model_says_so() -> None:
    assert "(not run)" in content.headline(static())
    assert "static check" in text.render(static())
    assert "(not run)" in content.headline(replace(effect(), trial=Trial("skipped", reason="no model.pt")))


def test_our_own_failure_is_owned() -> None:
    shown = text.render(undecided(), width=120)
    assert shown.startswith("UNKNOWN")
    assert "not the author's" in shown
    assert "Failed to run  output-shape: KeyError" in shown


def test_alike_findings_are_gathered_in_text_and_all_in_json() -> None:
    shown = text.render(voice_activity())
    assert shown.count("takes one argument") == 3
    assert "and 27 more" in shown
    assert len(json.loads(jsonfile.render(voice_activity()))["findings"]) == 33


def test_A96_the_hidden_error_is_shown() -> None:
    assert "Unknown builtin op: aten::pad." in text.render(voice_activity())


@pytest.mark.parametrize("width", [40, 80, 120])
def test_text_fits_its_width(width: int) -> None:
    for made in SAMPLES.values():
        _, *lines = text.render(made(), width=width).splitlines()
        assert max(len(line) for line in lines) <= width


def test_colour_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        encoding = "ascii"

        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in text.render_for(voice_activity(), Terminal())
    assert text.render_for(voice_activity(), Terminal()).isascii()
    assert "\x1b[" not in text.render_for(voice_activity(), io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in text.render_for(voice_activity(), Terminal())


@pytest.mark.parametrize(("render", "limit"), [(markdown.render, 1_048_576), (comment, 65_536)])
@pytest.mark.slow
def test_markdown_keeps_githubs_limits_and_whole_pieces(render: Any, limit: int) -> None:
    findings = tuple(
        Finding(f"rule-{n}", "error", HOSTS, "|<&" * 900 + str(m), "`" * 900, "model.pt", m)
        for n in range(60)
        for m in range(1, 21)
    )
    shown = render(Report(target=Target("folder", "x" * 300), findings=findings, trial=long_trial()))
    assert len(shown.encode()) <= limit
    assert "did not fit here" in shown
    assert shown.count("<pre>") == shown.count("</pre>")


def long_trial() -> Trial:
    return trial(native_message="line\n" * 10_000)


def test_annotations_show_every_rule_before_any_rule_twice() -> None:
    lines = commands.render(voice_activity(), folder="models/vad").splitlines()
    errors = [line for line in lines if line.startswith("::error ")]
    assert len(errors) == 10
    assert errors[0].startswith("::error file=models/vad/model.pt,title=aborts-host::")
    assert sum("title=unknown-operator" in line for line in errors) == 1
    assert "::error file=models/vad/model.pt,line=10,title=operator-arguments::" in errors[1]
    assert "%0AAnd 22 more of this rule" in errors[1]


def test_annotations_escape_what_ends_a_property() -> None:
    named = replace(effect(), findings=(Finding("slow", "error", HOSTS, "50%\nof: a, b", "", "a:b,c%d.json", 2),))
    assert "::error file=a%3Ab%2Cc%25d.json,line=2,title=slow::50%25%0Aof: a, b" in commands.render(named)


def test_an_error_for_a_host_that_nobody_asked_for_is_annotated_as_a_warning() -> None:
    assert "::error" not in commands.render(labeler())
    assert "::error" in commands.render(replace(labeler(), hosts_wanted=HOSTS))


def test_sarif_is_a_log_of_version_2_1_0() -> None:
    log = json.loads(sarif.render(voice_activity(), folder="models/my vad"))
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["helpUri"].endswith(f"#{rule['id']}") and rule["shortDescription"]["text"] for rule in rules)
    assert len(run["results"]) == 33
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        assert place["artifactLocation"]["uri"].startswith("models/my%20vad/")
        assert place["region"]["startLine"] >= 1
    prints = [result["partialFingerprints"]["audacitorch/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_sarif_fingerprints_outlive_moved_lines() -> None:
    def prints(report: Report) -> list:
        results = json.loads(sarif.render(report))["runs"][0]["results"]
        return sorted(result["partialFingerprints"]["audacitorch/v1"] for result in results)

    moved = replace(
        voice_activity(), findings=tuple(replace(f, line=f.line and f.line + 5) for f in voice_activity().findings)
    )
    assert prints(moved) == prints(voice_activity())


def test_sarif_tells_what_could_not_run() -> None:
    (invocation,) = json.loads(sarif.render(undecided()))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["associatedRule"]["id"] == "output-shape"


def test_write_reports_makes_the_folder_and_leaves_no_scraps(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    for report in (effect(), voice_activity()):
        written = write_reports(report, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in written.values())
    assert Report.load(written["json"].read_text(encoding="utf-8")) == voice_activity()
    with pytest.raises(OSError, match=r"."):
        write_reports(effect(), written["md"])


def test_a_failed_write_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_reports(effect(), tmp_path)
    before = written["json"].read_bytes()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_reports(voice_activity(), tmp_path)
    assert written["json"].read_bytes() == before
    assert sorted(tmp_path.iterdir()) == sorted(written.values())


def test_json_and_annotations_import_nothing_heavy() -> None:
    program = (
        "import sys; from audacitorch.report import annotations, jsonfile, text, markdown; "
        "print([m for m in ('rich', 'jinja2', 'torch', 'yaml', 'jsonschema', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_visible_spells_out_what_nobody_sees() -> None:
    assert visible("a\x1b[0m\n\u202e\ud800\U000e0041é") == r"a\x1b[0m\n\u202e\ud800\U000e0041é"
    assert visible("x" * 5000).count("x") == 1999
    assert visible("z" + "\u0301" * 50).count("\u0301") == 4


def test_long_blocks_lose_their_middle() -> None:
    lines = visible_lines("\n".join(str(n) for n in range(100)), lines=6)
    assert lines == ["0", "1", "2", "… 94 lines …", "97", "98", "99"]
    assert "\n" not in markdown_block("a\n\nb")


def test_commands_are_taken_apart_wherever_a_line_starts() -> None:
    assert without_commands("a ::b\n \t::error::x\nc ##[x]") == "a ::b\n \t\\x3a:error::x\nc \\x23#[x]"


def test_every_format_says_which_model_it_is_about() -> None:
    named = replace(
        labeler(),
        date="2026-11-25T12:00:00Z",
        metadata=Metadata(fields={"short_description": "Finds\ncats."}),
        archive=Archive("torchscript", producer="PyTorch 2.13"),
    )
    wanted = ("someone/labels", "Finds cats.", "0123abc", "PyTorch 2.13", "2026-11-25")
    for name, render in RENDERERS.items():
        shown = render(named).replace("\\.", ".").replace("%0A", "\n")
        beginning = shown if name in ("json", "sarif") else shown[shown.index("PASS for") :][:700]
        if name != "json":
            assert [word for word in wanted if word not in beginning] == [], name


def test_every_missing_field_is_named_however_many_are_shown() -> None:
    fields = ("sample_rate", "tags", "labels", "effect_type", "multichannel", "long_description")
    missing = tuple(
        Finding(
            "metadata-field-missing",
            "error",
            HOSTS,
            f"`{field}` is missing.",
            file="metadata.json",
            details={"field": field},
        )
        for field in fields
    )
    report = Report(target=Target("folder", "x"), findings=missing)
    for render in (text.render, markdown.render, page.render):
        shown = render(report).replace("\\", "")
        assert [field for field in fields if field not in shown] == []


def test_no_line_break_is_shown_as_two_letters() -> None:
    lines = "first line\nsecond line"
    report = Report(
        target=Target("folder", "x"),
        findings=(
            Finding("card-tag-missing", "warning", HOSTS, lines, "Begin README.md with\n---\ntags: audacity\n---"),
        ),
        skipped=(Skipped("slow", lines),),
        could_not_run=(CouldNotRun("clipping", lines),),
        trial=Trial("skipped", reason=lines),
    )
    for name, render in RENDERERS.items():
        shown = render(report)
        assert "\\\\n" not in shown
        assert name in ("json", "sarif") or "\\n" not in shown, name


def test_every_format_of_the_table_is_tried_here_and_offered_on_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from audacitorch.cli import main
    from audacitorch.report.formats import FORMATS

    modules = {render.__module__.rpartition(".")[2] for render in RENDERERS.values()}
    assert {chosen.module for chosen in FORMATS.values()} <= modules
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    assert f"--format {{{','.join(FORMATS)}}}" in capsys.readouterr().out
    action = (Path(__file__).parents[2] / "docs" / "action.md").read_text("utf-8")
    assert [chosen for chosen in FORMATS.values() if chosen.ending and f"report.{chosen.ending}" not in action] == []


def newer_export() -> Report:
    """A newer export: one cause, three findings that come of it, and one that does not."""
    cause = {BECAUSE_OF: "newer-export"}
    findings = [
        Finding("aborts-host", "error", HOSTS, "the load ended", "Export again.", "model.pt", details=cause),
        Finding("custom-operator", "error", HOSTS, "a custom operator", "Write it.", "model.pt"),
        Finding("newer-export", "error", HOSTS, "made by a newer PyTorch", "Run the backport.", "model.pt"),
        Finding("unknown-operator", "error", HOSTS, "call one", "By hand.", "model.pt", details=cause),
        Finding("unknown-operator", "error", HOSTS, "call two", "By hand.", "model.pt", details=cause),
    ]
    return replace(effect(), findings=tuple(findings))


@pytest.mark.parametrize("name", ["text", "markdown", "comment", "html"])
def test_a_cause_comes_first_and_what_comes_of_it_below(name: str) -> None:
    shown = RENDERERS[name](newer_export())
    order = ["made by a newer PyTorch", "the load ended", "call one", "a custom operator"]
    assert [shown.index(message) for message in order] == sorted(shown.index(message) for message in order)
    assert shown.count("Run the backport.") == 1
    assert "Export again." not in shown
    assert "By hand." not in shown


def test_annotations_fold_what_comes_of_a_cause() -> None:
    errors = [line for line in commands.render(newer_export()).splitlines() if line.startswith("::error ")]
    assert [re.findall("title=([a-z-]+)", line) for line in errors] == [["newer-export"], ["custom-operator"]]
    assert "And 3 more that come of it: the report has them all." in errors[0]


def test_the_kind_of_an_exception_is_not_the_name_of_a_rule() -> None:
    details = {"cause": "no-batch", "error": "…"}
    failed = Finding("forward-error", "error", HOSTS, "it raised", "unsqueeze", "model.pt", details=details)
    assert [group.rule for group in content.groups(replace(effect(), findings=(failed,)))] == ["forward-error"]
