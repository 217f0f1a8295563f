"""Fixtures whose defect lies in which files there are, and in what model.pt is as a file."""

from __future__ import annotations

import zipfile
from typing import List

from tests.repos_make import archives
from tests.repos_make.archives import booster
from tests.repos_make.parts import Fixture, Model, card, error, note, warning

_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
_BOMB = bytes(2 << 20)


def _model(name: str, rule: str, message: str, model: Model) -> Fixture:
    return Fixture(name, (error(rule, message=message),), card(), model)


def _readme(name: str, rule: str, message: str, readme: bytes) -> Fixture:
    return Fixture(name, (warning(rule, message=message),), card(), booster, readme)


def fixtures() -> List[Fixture]:
    """All of them; none needs its model run."""
    return [*_files(), *_readmes(), *_no_archives(), *_unsafe_archives()]


def _files() -> List[Fixture]:
    return [
        Fixture("no-files-yet", (error("missing-file", message="No model has been exported"),), None),
        Fixture("no-model", (error("missing-file", message="model.pt is missing"),), card()),
        Fixture("no-metadata", (error("missing-file", message="metadata.json is missing"),), None, booster),
        Fixture("not-in-lfs", (note("not-in-lfs", message="LFS storage"),), card(), booster, lfs=False),
    ]  # fmt: skip


def _readmes() -> List[Fixture]:
    return [
        Fixture("no-readme", (warning("card-tag-missing", message="no README.md"),), card(), booster, None),
        _readme("readme-without-front-matter", "card-tag-missing", "names no tags", b"# A model\n"),
        _readme("readme-without-the-tag", "card-tag-missing", "`audacity`", b"---\ntags: [audio]\n---\n"),
        _readme("readme-tag-in-capitals", "card-tag-missing", '"Audacity"', b"---\ntags: [Audacity]\n---\n"),
        Fixture("licence-is-not-spdx", (note("card-licence", message='"free"'),), card(), booster,
                b"---\ntags: audacity\nlicense: free\n---\n"),
        _readme("front-matter-is-no-yaml", "card-front-matter", "Line 3", b"---\ntags: [audacity\n---\n"),
        _readme("front-matter-makes-objects", "card-front-matter", "Line 2",
                b"---\ntags: !!python/object/apply:os.getcwd []\n---\n"),
        _readme("front-matter-with-aliases", "card-front-matter", "alias",
                b"---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\ntags: audacity\n---\n"),
    ]  # fmt: skip


def _no_archives() -> List[Fixture]:
    no = "not-torchscript"
    return [
        _model("checkout-without-lfs", "lfs-pointer", "Git LFS pointer", lambda: _POINTER),
        _model("model-is-empty", no, "empty", bytes),
        _model("model-cut-in-half", no, "cut off", lambda: booster()[: len(booster()) // 2]),
        _model("model-is-a-web-page", no, "web page", lambda: b"<!DOCTYPE html><title>404</title>\n"),
        _model("model-is-a-pickle", no, "plain pickle", archives.plain_pickle),
        _model("weights-from-torch-save", no, "torch.save", archives.weights),
        _model("weights-from-old-torch-save", no, "torch.save", archives.old_weights),
        _model("zip-of-something-else", no, "zip archive", lambda: archives.zipped([("a/readme.txt", b"hello")])),
        _model("zip-without-members", no, "zip archive", lambda: archives.zipped([])),
        _model("data-of-a-tensor-missing", no, "it has no member 'data/0'", archives.without_data),
        _model("archive-in-another-archive", no, "unzip it once more",
               lambda: archives.zipped([("folder/model.pt", booster())])),
        _model("archive-one-folder-too-deep", no, "one folder too deep",
               lambda: archives.zipped([(f"folder/{name}", data) for name, data in archives.members(booster())])),
        _model("onnx", no, "ONNX", lambda: b"\x08\x08\x12\x07pytorch\x1a\x051.9.0:\x00"),
        _model("safetensors", no, "safetensors", lambda: b"\x02\0\0\0\0\0\0\0{}"),
        _model("exported-program", no, "torch.export",
               lambda: archives.zipped([("model/models/model.json", b"{}"), ("model/archive_format", b"pt2")])),
        _model("keras", no, "HDF5", lambda: b"\x89HDF\r\n\x1a\n" + bytes(64)),
        _model("mobile-without-code", no, ".ptl",
               lambda: archives.zipped([("m/bytecode.pkl", b"\x80\x02)."), ("m/version", b"5\n")])),
        _model("checksum-wrong", no, "damaged: data.pkl: its checksum is wrong", archives.with_wrong_checksum),
        _model("archive-format-7", "file-format-too-new", "format 7; Torch 1.9.0 reads formats 1 to 6",
               lambda: archives.with_member("version", b"7\n")),
        _model("archive-format-is-no-number", "file-format-too-new", "no number",
               lambda: archives.with_member("version", b"new\n")),
    ]  # fmt: skip


def _unsafe_archives() -> List[Fixture]:
    unsafe = "unsafe-archive"
    return [
        _model("member-climbs-out", unsafe, "leads out of the archive",
               lambda: archives.with_more(("archive/../../../x", b"x"))),
        _model("member-with-escape-codes-climbs-out", unsafe, r"\x1b",
               lambda: archives.with_more(("../\x1b[2J\n::error::", b"x"))),
        _model("member-there-twice", unsafe, "there twice",
               lambda: archives.with_twin(booster(), "archive/constants.pkl", b"\x80\x02).")),
        _model("member-encrypted", unsafe, "is encrypted",
               lambda: archives.with_flag(archives.with_more(("archive/x", b"x")), "archive/x", 1)),
        _model("member-packed-oddly", unsafe, "packed by method 12",
               lambda: archives.with_more(("archive/x", b"x" * 99), packing=zipfile.ZIP_BZIP2)),
        _model("zip-bomb", unsafe, "unpacks to",
               lambda: archives.with_more(("archive/x", _BOMB), packing=zipfile.ZIP_DEFLATED)),
    ]  # fmt: skip
