"""`audacitorch rules [NAME]`: the rules as a list, or one explained."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The argument NAME."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="explain this rule")


def run(arguments: argparse.Namespace) -> int:
    """Print the rules, or one."""
    from audacitorch.report.rules_doc import rule_text, rules_list

    sys.stdout.write(rules_list() if arguments.name is None else rule_text(arguments.name))
    return 0
