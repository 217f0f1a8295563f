"""README.md gets its tag and nothing else, .gitattributes its line."""

from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audacitorch.fix.file_fixes import LFS_LINE, fixed_attributes, fixed_readme
from audacitorch.repo.readme import read_card


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "---\ntags:\n- audacity\n---\n"),
        ("# Model\n", "---\ntags:\n- audacity\n---\n# Model\n"),
        ("---\nlicense: mit\n---\n# M\n", "---\ntags:\n- audacity\nlicense: mit\n---\n# M\n"),
        ("---\ntags: music\n---\n", "---\ntags: [audacity, music]\n---\n"),
        ("---\ntags: [music]\n---\n", "---\ntags: [audacity, music]\n---\n"),
        ("---\ntags: []\n---\n", "---\ntags: [audacity]\n---\n"),
        ("---\ntags:\n  - music\nlicense: mit\n---\n", "---\ntags:\n  - audacity\n  - music\nlicense: mit\n---\n"),
        ("---\ntags:\nlicense: mit\n---\n", "---\ntags:\n- audacity\nlicense: mit\n---\n"),
        ("---\r\nlicense: mit\r\n---\r\n", "---\r\ntags:\r\n- audacity\r\nlicense: mit\r\n---\r\n"),
        ("---\ntags: audacity\n---\n", None),
        ("---\ntags: {a: b}\n---\n", None),
        ("---\n: : :\n---\n", None),
    ],
)
def test_the_tag_is_added(before: Optional[str], after: Optional[str]) -> None:
    fixed = fixed_readme(None if before is None else before.encode())
    assert fixed == (None if after is None else after.encode())


@given(st.text(alphabet="---\n tags:audacity[]{},#'\"&*|>ab", max_size=60))
def test_whatever_is_written_keeps_everything_else(text: str) -> None:
    data = f"---\n{text}\n---\nprose".encode()
    fixed = fixed_readme(data)
    if fixed is not None:
        before, after = read_card(data), read_card(fixed)
        assert "audacity" in (after.tags or ())
        assert set(before.tags or ()) <= set(after.tags or ())
        assert {**before.front_matter, "tags": None} == {**after.front_matter, "tags": None}


@pytest.mark.parametrize("before", [None, b"", b"*.bin filter=lfs -text", b"*.bin filter=lfs -text\n"])
def test_lfs_gets_a_line_of_its_own(before: Optional[bytes]) -> None:
    lines = fixed_attributes(before).decode().splitlines()
    assert lines[-1] == LFS_LINE
    assert lines[:-1] == (before or b"").decode().splitlines()
