"""The registry: every model repo on the Hub with the tag ``audacity``, indexed and tested, and the built-in list.

:mod:`~audacitorch.registry.refresh` compares the Hub's listing with the records, :mod:`~audacitorch.registry.testing`
runs what changed, :mod:`~audacitorch.registry.builtin_list` makes the list that Audacity downloads.
"""
