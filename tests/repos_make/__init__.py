"""Builds tests/repos: one small model repo a defect, named after it, with what a check must find in ``expect.json``.

``python -m tests.repos_make`` writes every folder again from the tables here (Torch 1.9.0). Models that only a newer
PyTorch can write are kept as they are; :mod:`tests.repos_make.newer` says how they were made.
"""
