"""`audacitorch rules [NAME]`: the rules as a list, or one explained."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The argument NAME, and how docs/rules.md is made."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="explain this rule")
    parser.add_argument("--markdown", action="store_true", help="print all rules as one page, docs/rules.md")


def run(arguments: argparse.Namespace) -> int:
    """Print the rules, or one."""
    from audacitorch.report.rules_doc import rule_text, rules_list, rules_markdown

    if arguments.markdown:
        sys.stdout.write(rules_markdown())
        return 0
    sys.stdout.write(rules_list() if arguments.name is None else rule_text(arguments.name))
    return 0
