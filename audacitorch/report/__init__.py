"""The report: one immutable result, many thin renderers."""
