"""Built-in requests: from a contributor's issue to a line in the built-in list.

`triage` reads the issue, checks the model and writes a decision; `answer` shows a decision on GitHub; `accept` and
`decline` do what a maintainer says. What runs a stranger's model holds no token, and what holds a token reads nothing
but the decision.
"""
