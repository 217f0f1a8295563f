import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audacitorch.repo.jsontext import MAX_DEPTH, MAX_VALUES, JsonTextError, parse, pointer

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 0, 2]), st.booleans())
def test_reads_what_the_standard_library_writes(value: Any, indent: Any, ascii_only: Any) -> None:
    assert parse(json.dumps(value, indent=indent, ensure_ascii=ascii_only)).value == value


@given(st.text(alphabet='{}[]",:\\u0123dDe.+-tfn ruals\n\x00é', max_size=60))
def test_never_accepts_what_the_standard_library_refuses(text: Any) -> None:
    refused = None
    try:
        value = parse(text).value
    except JsonTextError as error:
        refused = error
    if refused is None:
        assert json.loads(text) == value
    else:
        assert 1 <= refused.line <= text.count("\n") + 1
        assert refused.column >= 1


@given(st.dictionaries(st.text(), st.lists(st.integers(), max_size=3), max_size=5))
def test_every_value_has_the_line_that_it_stands_on(value: Any) -> None:
    text = json.dumps(value, indent=1)
    lines = text.split("\n")
    for where, line in parse(text).lines.items():
        parts = where.split("/")[1:]
        if len(parts) == 1:
            key = parts[0].replace("~1", "/").replace("~0", "~")
            assert lines[line - 1].startswith(f" {json.dumps(key)}:")
        elif len(parts) == 2:
            key = parts[0].replace("~1", "/").replace("~0", "~")
            assert lines[line - 1].strip(" ,") == str(value[key][int(parts[1])])


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("", "the file is empty", 1, 1),
        (" \n ", "nothing but white space", 2, 2),
        ("{a: 1}", "expected a key in double quotes but found a", 1, 2),
        ("{'a': 1}", "a single quote", 1, 2),
        ('{"a": 1,\n}', "no comma before }", 2, 1),
        ("[1,]", "no comma before ]", 1, 4),
        ("[1 2]", "expected , or ] but found 2", 1, 4),
        ('{"a" 1}', "expected : after a key", 1, 6),
        ("[True]", "not True", 1, 2),
        ("[NaN]", "NaN is not a number in JSON", 1, 2),
        ("[-Infinity]", "-Infinity is not a number", 1, 2),
        ("[01]", "01 is not a JSON value", 1, 2),
        ("[1e999]", "too large", 1, 2),
        ("[1" + "0" * 5000 + "]", "too long", 1, 2),
        ("// no\n[]", "a comment (JSON has none)", 1, 1),
        ('["a\nb"]', "U+000A inside a string", 1, 4),
        ('"abc', "ends inside a string", 1, 5),
        ('["\\x"]', "no escape that JSON knows", 1, 3),
        ('["\\ud800"]', "half of a surrogate pair", 1, 9),
        ('["\\udc00\\ud800"]', "half of a surrogate pair", 1, 9),
        ("[] []", "after the end of the JSON value", 1, 4),
        ("\ufeff{}", "U+FEFF", 1, 1),
        ("[\x1b[31m]", "U+001B", 1, 2),
    ],
)
def test_says_what_is_wrong_and_where(text: Any, message: str, line: int, column: int) -> None:
    with pytest.raises(JsonTextError) as raised:
        parse(text)
    assert message in str(raised.value)
    assert (raised.value.line, raised.value.column) == (line, column)


def test_of_a_repeated_key_the_first_value_is_kept_and_every_later_one_named() -> None:
    read = parse('{"a": 1,\n"b": {"x": 1,\n"x": {"y": [1]}},\n"a": [2, 3]}')
    assert read.value == {"a": 1, "b": {"x": 1}}
    assert read.duplicates == (("/b/x", 3), ("/a", 4))
    assert "/a/0" not in read.lines


def test_depth_is_bounded_and_never_recurses() -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH).value
    for text in ("[" * (MAX_DEPTH + 1), "[" * 100_000, '{"a":' * 100_000):
        with pytest.raises(JsonTextError, match="nested deeper"):
            parse(text)


def test_number_of_values_is_bounded() -> None:
    with pytest.raises(JsonTextError, match="more than"):
        parse("[" + "0," * MAX_VALUES + "0]")


def test_a_huge_key_is_not_copied_for_each_item_below_it() -> None:
    started = time.perf_counter()
    read = parse('{"' + "k" * 400_000 + '": [' + "0," * 15_000 + "0]}")
    assert sum(map(len, read.lines)) < 1000
    assert time.perf_counter() - started < 2


def test_pointers_escape_as_rfc_6901_asks() -> None:
    assert pointer("/a", "b/c~d") == "/a/b~1c~0d"
