r"""Text from a stranger, made safe to show in a terminal, in Markdown and in a log of GitHub: done nowhere else.

Names, messages and metadata come from whoever wrote the model, or from a server. Whatever they hold, what is shown has
no terminal escape code, no change of writing direction, no workflow command of GitHub, no mention and no markup. A
character that nobody could see is written out, like ``\x1b`` or ``\u202e``.
"""

from __future__ import annotations

import re
import unicodedata

#: Shown raw nowhere: control characters, format characters (direction, zero width), surrogates, private use, and
#: characters that end a line for some readers.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Me"})
#: Characters without ink that count as letters or symbols: they make a name look empty, or like another.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
#: Marks stacked on one letter beyond this climb over the lines above and below.
_MOST_MARKS = 4

_LINE_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
#: GitHub's runner obeys ``::command::`` at the start of a line, and the older ``##[command]`` anywhere in it.
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_OLD_COMMAND = re.compile(r"##(?=\[)")

_MARKDOWN_SYNTAX = re.compile(r"([\\`*_{}\[\]<>|~!$&])")
_MARKDOWN_LINE_START = re.compile(r"^(\s*)([-+=](?=[-+=\s]|$)|\d+(?=[.)](?:\s|$)))")
_CODE_SYNTAX = re.compile(r"[\\`*_\[\]{}<>|~!$&@#\"]|:(?=//)|(?<=www)\.")
#: A zero-width space after these keeps GitHub from making mentions of people and references to issues.
_REFERENCES = re.compile(r"([@#]|\bGH(?=-\d))", re.IGNORECASE)


def visible(text: object, limit: int = 2000) -> str:
    r"""One line that shows everything in ``text``: a line break becomes ``\n``, an escape code ``\x1b[31m``.

    Text longer than ``limit`` characters is cut, with an ellipsis in the cut's place.
    """
    cut = shorten(str(text), limit)
    return cut if cut.isascii() and cut.isprintable() else "".join(_shown(cut))


def visible_lines(text: object, lines: int = 30, limit: int = 4000) -> list[str]:
    """The lines of ``text``, each made visible; the middle is left out where there are more than ``lines``."""
    found = _LINE_BREAK.split(shorten(str(text).strip("\r\n"), limit))
    if len(found) > lines:
        head = (lines + 1) // 2
        found = [*found[:head], f"… {len(found) - lines} lines …", *found[len(found) - (lines - head) :]]
    return [visible(line.expandtabs(4), limit).rstrip() for line in found]


def shorten(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters: its start and end, as errors say what matters at either."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 3
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"


def _shown(text: str) -> list[str]:
    shown = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in _MARKS else 0
        shown.append(_escaped(character) if _unseen(character) or marks > _MOST_MARKS else character)
    return shown


def _unseen(character: str) -> bool:
    return not (" " <= character <= "~") and (
        unicodedata.category(character) in _UNSEEN_CATEGORIES or character in _FILLERS
    )


def _escaped(character: str) -> str:
    code = ord(character)
    return _NAMED.get(character) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )


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
