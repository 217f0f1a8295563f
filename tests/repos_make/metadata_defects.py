"""Fixtures whose defect lies in metadata.json. Where the hosts read it differently, both readings are expected."""

from __future__ import annotations

from typing import List

from tests.repos_make.archives import booster
from tests.repos_make.parts import GONE, Expected, Fixture, card, error, for_alphas, for_spec, note, warning

_TWICE = card().replace(b'  "labels"', b'  "sample_rate": 16000,\n  "labels"')


def _fields(name: str, *expected: Expected, **changes: object) -> Fixture:
    return Fixture(name, expected, card(**changes), booster)


def _text(name: str, metadata: bytes, rule: str, message: str) -> Fixture:
    return Fixture(name, (error(rule, message=message),), metadata, booster)


def fixtures() -> List[Fixture]:
    """All of them; none needs its model run."""
    return [*_texts(), *_limits(), *_fields_there_or_not(), *_values()]


def _texts() -> List[Fixture]:
    return [
        _text("metadata-utf-16", card().decode().encode("utf-16"), "metadata-encoding", "UTF-16"),
        _text("metadata-with-byte-order-mark", b"\xef\xbb\xbf" + card(), "metadata-encoding", "byte order mark"),
        _text(
            "metadata-latin-1", card(short_description="für dich").decode().encode("latin-1"),
            "metadata-encoding", "Byte 0xFC on line 9",
        ),
        _text("metadata-empty-file", b"", "metadata-json", "Line 1"),
        _text("metadata-trailing-comma", card().replace(b"false\n", b"false,\n"), "metadata-json", "Line "),
        _text("metadata-cut-off", card()[:60], "metadata-json", "Line "),
        _text("metadata-is-an-array", b"[" + card() + b"]", "metadata-json", "a list of 1"),
        _text("metadata-holds-nan", card().replace(b"44100", b"NaN"), "metadata-json", "Line 2"),
        _text("metadata-nests-deeply", b'{"labels": ' + b"[" * 200 + b"]" * 200 + b"}", "metadata-json", "Line 1"),
        _text("metadata-key-twice", _TWICE, "metadata-json", "comes twice"),
        _text(
            "metadata-is-a-git-lfs-pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "metadata-json", "Git LFS pointer",
        ),
    ]  # fmt: skip


def _limits() -> List[Fixture]:
    return [
        _fields("short-description-60-characters", short_description="ü" * 60),
        _fields(
            "short-description-61-characters",
            error("metadata-field-length", message="61 characters, at most 60"),
            short_description="x" * 61,
        ),
        _fields("long-description-280-characters", long_description="𝄞" * 280),
        _fields(
            "long-description-281-characters",
            error("metadata-field-length", message="281 characters, at most 280"),
            long_description="x" * 281,
        ),
        _fields("five-tags", tags=["a", "b", "c", "d", "x" * 15]),
        _fields("six-tags", error("metadata-field-count", message="6 entries, at most 5"), tags=list("abcdef")),
        _fields("tag-16-characters", warning("metadata-field-length", message="`tags[1]`", **for_spec),
                tags=["a", "x" * 16]),
        _fields("sample-rate-384000", sample_rate=384000),
        _fields(
            "sample-rate-395999",
            error("metadata-field-range", message="at most 384000", **for_alphas),
            sample_rate=395999,
        ),
        _fields("sample-rate-396000", error("metadata-field-range", message="below 396000"), sample_rate=396000),
        _fields(
            "sample-rate-0", error("metadata-field-range", message="above 0"), sample_rate=0
        ),
        _fields("sample-rate-negative", error("metadata-field-range", message="-44100"), sample_rate=-44100),
        _fields(
            "five-domain-tags",
            error("metadata-field-count", message="5 entries", **for_alphas),
            domain_tags=["music", "environmental", "speech", "other", "music"],
        ),
    ]  # fmt: skip


def _fields_there_or_not() -> List[Fixture]:
    missing = "metadata-field-missing"
    return [
        _fields(
            "domains-only", error(missing, message="`domain_tags` is missing", **for_alphas), domain_tags=GONE
        ),
        _fields("domain-tags-only", domains=GONE),
        _fields("no-domains", error(missing, message="Neither `domains` nor"), domains=GONE, domain_tags=GONE),
        *(
            _fields(f"no-{field.replace('_', '-')}", error(missing, message=f"`{field}` is missing"), **{field: GONE})
            for field in ("sample_rate", "short_description", "long_description", "tags", "labels", "multichannel")
        ),
        _fields("no-effect-type", error(missing, message="`effect_type` is missing"), effect_type=GONE),
        _fields(
            "sample-rate-misspelt",
            error(missing, message="`sample_rate` is missing"),
            note("metadata-unknown-field", message='"samplerate": is `sample_rate` meant?'),
            sample_rate=GONE,
            samplerate=44100,
        ),
        _fields(
            "rename-to-what-is-there",
            note("metadata-unknown-field", message='"model_long_description"'),
            note("placeholder-text", message="`long_description` is empty"),
            model_long_description="Boosts the volume.", long_description="",
        ),
        _fields("field-that-nobody-reads", note("metadata-unknown-field", message='"licence"'), licence="MIT"),
    ]  # fmt: skip


def _values() -> List[Fixture]:
    wrong_type = "metadata-field-type"
    return [
        _fields("sample-rate-as-text", error(wrong_type, message="an integer"), sample_rate="44100"),
        _fields("sample-rate-as-float", error(wrong_type, message="an integer, not 44100.0"), sample_rate=44100.0),
        _fields("multichannel-as-text", error(wrong_type, message="true or false"), multichannel="false"),
        _fields("labels-as-text", error(wrong_type, message="a list"), labels="better"),
        _fields("label-as-number", error(wrong_type, message="`labels[0]`"), labels=[1]),
        _fields("tags-null", error(wrong_type, message="a list, not null"), tags=None),
        _fields(
            "effect-type-in-capitals",
            error("metadata-field-value", message="Waveform-To-Waveform"),
            effect_type="Waveform-To-Waveform",
        ),
        _fields("label-twice", warning("duplicate-labels", message='2 of the labels'), labels=["out", "out"]),
        _fields("tag-twice", error("metadata-field-value", message="repeats", **for_alphas), tags=["a", "a"]),
        _fields("domain-unknown-in-domains", warning("metadata-domain-unknown", message="noise", **for_spec),
                domains=["noise"]),
        _fields("domain-unknown", warning("metadata-domain-unknown", message="noise", **for_spec),
                error("metadata-domain-unknown", message="noise", **for_alphas), domain_tags=["noise"], domains=GONE),
    ]  # fmt: skip
