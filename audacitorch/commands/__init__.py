"""The subcommands of `audacitorch`: each module adds its arguments to a parser, and runs.

A module has ``add_arguments(parser)`` and ``run(arguments) -> int``, which returns the exit status. Only the module of
the command that was asked for is imported, so that the program starts fast.
"""
