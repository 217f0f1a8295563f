r"""Text from a stranger's repo, made safe to show.

Names, messages and metadata come from whoever wrote the model. Whatever they hold, a report never passes on a
terminal escape code, a change of writing direction, a workflow command of GitHub, a mention or markup. What nobody
could see otherwise is written out, like ``\x1b`` or ``\u202e``.
"""

from __future__ import annotations

import re

from audacitorch.safetext import shorten, visible, visible_lines

__all__ = [
    "command_message",
    "command_property",
    "markdown",
    "markdown_block",
    "markdown_code",
    "shorten",
    "visible",
    "visible_lines",
    "without_commands",
]

#: GitHub's runner obeys ``::command::`` at the start of a line, and the older ``##[command]`` anywhere in it.
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_OLD_COMMAND = re.compile(r"##(?=\[)")

_MARKDOWN_SYNTAX = re.compile(r"([\\`*_{}\[\]<>|~!$&])")
_MARKDOWN_LINE_START = re.compile(r"^(\s*)([-+=](?=[-+=\s]|$)|\d+(?=[.)](?:\s|$)))")
_CODE_SYNTAX = re.compile(r"[\\`*_\[\]{}<>|~!$&@#\"]|:(?=//)|(?<=www)\.")
#: A zero-width space after these keeps GitHub from making mentions of people and references to issues.
_REFERENCES = re.compile(r"([@#]|\bGH(?=-\d))", re.IGNORECASE)


def without_commands(text: str) -> str:
    r"""Rendered output, with whatever GitHub's runner would obey in a log taken apart: ``\x3a:error::``."""
    return _OLD_COMMAND.sub(r"\\x23#", _COMMAND.sub(r"\1\\x3a", text))


def markdown(text: object, limit: int = 2000) -> str:
    """``text`` as words in Markdown: no markup, table cell, link, mention or reference comes of it."""
    shown = _MARKDOWN_SYNTAX.sub(r"\\\1", visible(text, limit))
    shown = shown.replace("://", ":\\//").replace("www.", "www\\.")
    shown = _REFERENCES.sub("\\1&#8203;", shown)
    return _MARKDOWN_LINE_START.sub(_guarded_start, shown)


def _guarded_start(start: re.Match[str]) -> str:
    sign = start.group(2)
    return f"{start.group(1)}&#{ord(sign[0])};{sign[1:]}"


def markdown_code(text: object, limit: int = 2000) -> str:
    """``text`` as code in Markdown, in table cells too, where no run of backticks is safe."""
    return f"<code>{_entities(visible(text, limit))}</code>"


def markdown_block(text: object, lines: int = 30, limit: int = 4000) -> str:
    """``text`` as preformatted lines, written as one line so that no line of it can start anything."""
    return "<pre>" + "&#10;".join(_entities(line) for line in visible_lines(text, lines, limit)) + "</pre>"


def _entities(text: str) -> str:
    coded = _CODE_SYNTAX.sub(lambda found: f"&#{ord(found.group())};", text)
    return coded.replace("&#64;", "&#64;&#8203;").replace("&#35;", "&#35;&#8203;")


def command_property(text: object, limit: int = 200) -> str:
    """``text`` as a property of a workflow command."""
    return command_message(visible(text, limit)).replace(":", "%3A").replace(",", "%2C")


def command_message(text: str) -> str:
    """``text`` as the message of a workflow command; its line breaks come back as line breaks."""
    return _OLD_COMMAND.sub(r"\\x23#", text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
