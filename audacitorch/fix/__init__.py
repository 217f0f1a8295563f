"""`audacitorch fix`: every remedy that a machine can apply to a model repo, applied.

A remedy changes a :class:`~audacitorch.fix.draft.Draft` of the folder, never the folder itself, and leaves alone
whatever it does not understand. :mod:`audacitorch.fix.repair` asks the rules what is wrong, applies remedies until
nothing more changes, and writes the draft into the folder when somebody agrees.
"""
