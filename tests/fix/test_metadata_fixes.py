"""What becomes of metadata.json: every change is one that the file itself calls for."""

from __future__ import annotations

import json
from typing import Any, Dict, Optional

import pytest

from audacitorch.fix.metadata_fixes import dump, fix_fields, fixed_encoding, fixed_syntax
from tests.repos_make.parts import EFFECT_FIELDS


def test_good_fields_stay_as_they_are() -> None:
    assert fix_fields(EFFECT_FIELDS) == (EFFECT_FIELDS, [])


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [
        ("sample_rate", "48000", 48000),
        ("sample_rate", "44100 Hz", 44100),
        ("sample_rate", 48000.0, 48000),
        ("multichannel", "false", False),
        ("multichannel", "True", True),
        ("multichannel", 1, True),
        ("labels", "drums, bass", ["drums", "bass"]),
        ("labels", ["drums", 2], ["drums", "2"]),
        ("tags", None, []),
        ("tags", ["a", "b", "a"], ["a", "b"]),
        ("effect_type", "Waveform-To-Waveform", "waveform-to-waveform"),
        ("effect_type", "waveform_to_waveform", "waveform-to-waveform"),
        ("domain_tags", ["Music"], ["music"]),
        ("domain_tags", ["music", "drums"], ["music"]),
        ("domain_tags", ["drums"], ["music"]),  # domains says it
    ],
)
def test_values_are_put_right(field: str, wrong: Any, right: Any) -> None:
    fixed, done = fix_fields({**EFFECT_FIELDS, field: wrong})
    assert fixed == {**EFFECT_FIELDS, field: right}
    assert done
    assert fix_fields(fixed) == (fixed, [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample_rate", "fast"),
        ("sample_rate", 44100.5),
        ("sample_rate", True),
        ("multichannel", "maybe"),
        ("multichannel", 2),
        ("labels", {"a": 1}),
        ("labels", [["a"]]),
        ("short_description", ["a"]),
        ("short_description", "x" * 61),
        ("tags", list("abcdef")),
        ("effect_type", "denoiser"),
    ],
)
def test_what_is_not_understood_stays(field: str, value: Any) -> None:
    assert fix_fields({**EFFECT_FIELDS, field: value})[0][field] == value


def _without(*names: str, **more: Any) -> Dict[str, Any]:
    return {**{key: value for key, value in EFFECT_FIELDS.items() if key not in names}, **more}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (_without("sample_rate", sampleRate=44100), _without("sample_rate", sample_rate=44100)),
        (_without("domain_tags"), EFFECT_FIELDS),
        (_without("domains"), EFFECT_FIELDS),
        (
            _without("short_description", "long_description", description="Louder."),
            _without(short_description="Louder.", long_description="Louder."),
        ),
        (
            _without("short_description", "long_description", description="x" * 61),
            _without("short_description", long_description="x" * 61),
        ),
        # The right name is there: renaming another onto it would lose a value.
        (_without(model_long_description="Other words."), _without(model_long_description="Other words.")),
        (_without(domain_tag=["speech"]), _without(domain_tag=["speech"])),
    ],
)
def test_names_are_put_right(fields: Dict[str, Any], expected: Dict[str, Any]) -> None:
    assert fix_fields(fields)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1, 2,], // note\n "b": "x // y", /* c */}', {"a": [1, 2], "b": "x // y"}),
        ("{'a': True, 'b': None}", {"a": True, "b": None}),
        ('{"a": 1, "a": 1}', {"a": 1}),
        ('{"a": 1, "a": 2}', None),
        ("{'a': 1, 'a': 2}", None),
        ('{"a": NaN}', None),
        ('{"a": "cut', None),
        ("[1, 2,]", None),
        ("", None),
        ("{'a': {1, 2}}", None),
        ('{"a": 1}', None),
        ('{"a": "b,]"}', None),
    ],
)
def test_nearly_json_becomes_json(text: str, expected: Optional[Dict[str, Any]]) -> None:
    fixed = fixed_syntax(text.encode())
    assert (None if fixed is None else json.loads(fixed)) == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_become_utf_8(encoding: str) -> None:
    assert fixed_encoding('{"a": "ü"}'.encode(encoding)) == '{"a": "ü"}'.encode()


@pytest.mark.parametrize("data", [b'{"a": "\xfc"}', b"{}", b"", b"\xff\xfe\x00"])
def test_unknown_encodings_stay(data: bytes) -> None:
    assert fixed_encoding(data) is None


@pytest.mark.parametrize("like", ['{"a": 1}', '{\n  "a": 1\n}\n', '{\n    "a": 1\n}', '{\n\t"a": 1\n}\n'])
def test_the_layout_is_kept(like: str) -> None:
    assert dump({"a": 1}, like).decode() == like
