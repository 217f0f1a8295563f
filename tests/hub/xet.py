"""Xet storage as far as an upload needs it: tokens, xorbs, shards. Formats: huggingface.co/docs/xet.

A client cuts files into chunks, packs chunks into *xorbs*, and says in a *shard* of which chunks each file consists.
What a shard tells is put together here, checked against the file's sha256, and kept as an LFS object.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Tuple

from tests.hub.messages import Answer, Request, as_json, error
from tests.hub.repos import Blob, HubRepo

if TYPE_CHECKING:
    from tests.hub.local import LocalHub

TOKEN = "xet-of-the-local-hub"
_HASH = 32
_ENTRY = struct.Struct("<32sIIII")
_BOOKEND = b"\xff" * _HASH
_WITH_VERIFICATION, _WITH_METADATA = 1 << 31, 1 << 30
_NONE, _LZ4, _GROUPED_LZ4 = 0, 1, 2


def write_token(hub: LocalHub, request: Request, repo: HubRepo) -> Answer:
    """``GET .../xet-write-token/{revision}``: where the storage is, and a token for it that lives shortly.

    Newer clients read the body, older ones the headers.
    """
    told = {"casUrl": hub.cdn_url, "exp": 9999999999, "accessToken": TOKEN}
    names = {"casUrl": "X-Xet-Cas-Url", "exp": "X-Xet-Token-Expiration", "accessToken": "X-Xet-Access-Token"}
    return as_json(told, headers={names[name]: str(value) for name, value in told.items()})


def no_chunk(hub: LocalHub, request: Request, digest: str) -> Answer:
    """``GET /v1/chunks/default-merkledb/{hash}``: no chunk is known from elsewhere."""
    return error(404, "Not found") if _permitted(request) else _REFUSED


def put_xorb(hub: LocalHub, request: Request, digest: str) -> Answer:
    """``POST /v1/xorbs/default/{hash}``: chunks, one after another."""
    if not _permitted(request):
        return _REFUSED
    inserted = digest not in hub.xorbs
    hub.xorbs[digest] = list(_chunks(request.body))
    return as_json({"was_inserted": inserted})


def put_shard(hub: LocalHub, request: Request) -> Answer:
    """``POST /v1/shards``: which files there are now."""
    if not _permitted(request):
        return _REFUSED
    for sha256, segments in _files(request.body):
        content = b"".join(b"".join(hub.xorbs[xorb][first:last]) for xorb, first, last in segments)
        if hashlib.sha256(content).hexdigest() != sha256:
            return error(400, "the chunks of a file are not what its sha256 says")
        hub.add_blob(Blob(content, lfs=True))
    return as_json({"result": 1})


def older(hub: LocalHub, request: Request, *parts: str) -> Answer:
    """What newer clients try first, and older storage does not have: they go on without."""
    return error(404, "Not found")


def telemetry(hub: LocalHub, request: Request) -> Answer:
    """``POST /v1/telemetry``: taken, and forgotten."""
    return Answer(204)


_REFUSED = error(401, "Unauthorized")


def _permitted(request: Request) -> bool:
    return request.headers.get("Authorization") == f"Bearer {TOKEN}"


def _chunks(body: bytes) -> Iterator[bytes]:
    """The chunks of a xorb: each has a header of 8 bytes; a footer, which begins otherwise, may follow."""
    place = 0
    while place + 8 <= len(body) and body[place] == 0:
        packed = int.from_bytes(body[place + 1 : place + 4], "little")
        scheme, size = body[place + 4], int.from_bytes(body[place + 5 : place + 8], "little")
        place += 8
        chunk = _unpack(scheme, body[place : place + packed])
        assert len(chunk) == size
        yield chunk
        place += packed


def _unpack(scheme: int, data: bytes) -> bytes:
    if scheme == _NONE:
        return data
    from lz4 import frame  # type: ignore[import-untyped]  # it has no annotations

    unpacked: bytes = frame.decompress(data)
    if scheme == _LZ4:
        return unpacked
    assert scheme == _GROUPED_LZ4
    return _ungroup(unpacked)


def _ungroup(data: bytes) -> bytes:
    """Undo the grouping of bytes by their place modulo 4; the first groups hold what is left over."""
    whole = bytearray(len(data))
    start = 0
    for place in range(4):
        count = (len(data) - place + 3) // 4
        whole[place::4] = data[start : start + count]
        start += count
    return bytes(whole)


def _files(shard: bytes) -> Iterator[Tuple[str, List[Tuple[str, int, int]]]]:
    """Each file of a shard: its sha256, and its parts as (xorb, first chunk, chunk after the last)."""
    place = 48  # the header: a tag, a version, the footer's size
    while shard[place : place + _HASH] != _BOOKEND:
        _, flags, count, _, _ = _ENTRY.unpack_from(shard, place)
        segments = []
        for number in range(count):
            xorb, _, _, first, last = _ENTRY.unpack_from(shard, place + (1 + number) * _ENTRY.size)
            segments.append((_hex(xorb), first, last))
        place += (1 + count) * _ENTRY.size
        if flags & _WITH_VERIFICATION:
            place += count * _ENTRY.size
        assert flags & _WITH_METADATA, "a file without its sha256"
        yield _hex(shard[place : place + _HASH]), segments
        place += _ENTRY.size


def _hex(digest: bytes) -> str:
    """A hash as Xet writes it: four numbers of 64 bits, in little-endian order."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


def harnesses(hub: LocalHub, request: Request) -> Answer:
    """``GET /api/agent-harnesses``: what newer clients ask once a day, to name themselves in their user agent."""
    empty: Dict[str, Any] = {"harnesses": []}
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(empty).encode())
