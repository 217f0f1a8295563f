"""A remote file as a seekable file: what is read, in how many requests, and what it refuses to believe."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path
from typing import Dict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audacitorch.hub import Hub, HubUnreachable
from audacitorch.hub.failures import DamagedDownload, RangeLimit, RangesRefused
from audacitorch.hub.ranges import RangeFile
from tests.hub import Blob, LocalHub

CONTENT = random.Random(1).randbytes(700_000)


def open_model(local_hub: LocalHub, client: Hub, **limits: int) -> RangeFile:
    details = client.repo_details("ann/effect")
    local_hub.take_log()
    return RangeFile(client, details.id, details.sha, details.files["model.pt"], **limits)


@pytest.fixture
def model(local_hub: LocalHub, hub_client: Hub) -> RangeFile:
    local_hub.add_repo("ann/effect", {"model.pt": CONTENT}, lfs=["model.pt"])
    return open_model(local_hub, hub_client)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 700_100), st.integers(0, 90_000)), max_size=12))
def test_it_reads_what_the_file_holds(model: RangeFile, reads: object) -> None:
    for position, length in reads:  # type: ignore[attr-defined]
        model.seek(position)
        assert model.read(length) == CONTENT[position : position + length]
        assert model.tell() == max(position, min(position + length, len(CONTENT)))


def test_seeking_is_that_of_a_file_and_asks_nothing(local_hub: LocalHub, model: RangeFile) -> None:
    plain = io.BytesIO(CONTENT)
    for offset, whence in ((10, 0), (5, 1), (-5, 2), (-3, 1), (9, 2)):
        assert model.seek(offset, whence) == plain.seek(offset, whence)
    assert model.read(5) == plain.read(5) == b""
    with pytest.raises(ValueError, match="before"):
        model.seek(-1)
    assert (model.readable(), model.seekable(), model.writable()) == (True, True, False)
    assert local_hub.take_log() == []


def test_the_end_is_read_first_and_the_address_on_the_cdn_is_kept(local_hub: LocalHub, model: RangeFile) -> None:
    model.seek(0)
    model.read(4)
    model.seek(-22, io.SEEK_END)
    model.read(22)
    log = local_hub.take_log()
    assert [logged.side for logged in log] == ["hub", "cdn", "cdn"]
    assert log[1].range is not None
    assert log[1].range.endswith(f"-{len(CONTENT) - 1}")
    assert model.requests == 3
    assert model.received == sum(logged.sent for logged in log if logged.side == "cdn")


@pytest.mark.parametrize("lfs", [True, False])
def test_an_archives_code_of_a_gigabyte_takes_eight_requests_and_less_than_two_mebibytes(
    local_hub: LocalHub, hub_client: Hub, tmp_path: Path, lfs: bool
) -> None:
    path = tmp_path / "model.pt"
    code: Dict[str, bytes] = {f"m/code/__torch__/layer{n}.py": random.Random(n).randbytes(2_000) for n in range(120)}
    with path.open("wb") as file:
        file.seek(1 << 30)  # weights, as a hole
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("m/data.pkl", b"p" * 30_000)
            archive.writestr("m/constants/0", b"c" * 3_000_000)
            archive.writestr("m/constants.pkl", b"p" * 100)
            for name, text in code.items():
                archive.writestr(name, text)
                archive.writestr(name + ".debug_pkl", b"d" * 1_000)
            archive.writestr("m/version", b"3")
    local_hub.add_repo("ann/effect", {"model.pt": Blob(path, lfs=True, sha256="a" * 64)})
    with open_model(local_hub, hub_client) as remote, zipfile.ZipFile(remote) as archive:
        for name in ("m/data.pkl", "m/constants.pkl", "m/version", *code):
            assert archive.read(name) == code.get(name, archive.read(name))
        requests = local_hub.take_log()
        assert len(requests) == remote.requests <= 8
        assert remote.received < 2 << 20
        assert remote.received == sum(logged.sent for logged in requests if logged.side == "cdn")


def test_a_regular_file_is_read_in_ranges_too(local_hub: LocalHub, hub_client: Hub) -> None:
    local_hub.add_repo("ann/effect", {"model.pt": CONTENT})
    remote = open_model(local_hub, hub_client)
    remote.seek(1000)
    assert remote.read(10) == CONTENT[1000:1010]
    assert all(logged.range for logged in local_hub.take_log())


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537])
def test_small_files_take_one_range(local_hub: LocalHub, hub_client: Hub, size: int) -> None:
    local_hub.add_repo("ann/effect", {"model.pt": CONTENT[:size]}, lfs=["model.pt"])
    assert open_model(local_hub, hub_client).read() == CONTENT[:size]
    assert len(local_hub.take_log()) <= 3


def test_an_expired_address_is_asked_for_again(local_hub: LocalHub, model: RangeFile) -> None:
    model.seek(-10, io.SEEK_END)
    model.read(10)
    local_hub.expire_links()
    model.seek(0)
    assert model.read(10) == CONTENT[:10]
    assert model.requests == 5


@pytest.mark.parametrize("kind", ["cut", "drop", "stall", "server-error", "rate-limit"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_passing_fault_at_any_request_is_survived(local_hub: LocalHub, model: RangeFile, kind: str, at: int) -> None:
    local_hub.fault(kind, after=at)
    model.seek(-10, io.SEEK_END)
    assert model.read(10) == CONTENT[-10:]
    model.seek(0)
    assert model.read(10) == CONTENT[:10]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ignore-range", RangesRefused),
        ("wrong-range", DamagedDownload),
        ("wrong-size", HubUnreachable),
        ("cut", HubUnreachable),
        ("forbidden", HubUnreachable),
    ],
)
def test_a_lasting_fault_of_the_cdn_is_told(local_hub: LocalHub, model: RangeFile, kind: str, expected: type) -> None:
    local_hub.fault(kind, side="cdn", times=None)
    with pytest.raises(expected):
        model.read(10)
    assert model.received < 5 * 80_000


def test_a_file_that_changes_while_it_is_read_is_refused(local_hub: LocalHub, model: RangeFile) -> None:
    local_hub.fault("etag", side="cdn", after=1, times=None)
    with pytest.raises(DamagedDownload, match="changed"):
        model.read(10)


def test_a_file_of_another_hash_is_refused(local_hub: LocalHub, model: RangeFile) -> None:
    local_hub.fault("header", side="hub", name="X-Linked-ETag", value='"' + "b" * 64 + '"')
    with pytest.raises(DamagedDownload, match="hash"):
        model.read(10)


def test_requests_and_bytes_are_bounded(local_hub: LocalHub, hub_client: Hub, model: RangeFile) -> None:
    few = open_model(local_hub, hub_client, max_requests=3)
    few.seek(300_000)
    few.read(10)
    few.seek(0)
    with pytest.raises(RangeLimit, match="3 requests"):
        few.read(10)
    little = open_model(local_hub, hub_client, max_bytes=100_000)
    local_hub.take_log()
    with pytest.raises(RangeLimit, match="100000 bytes"):
        little.read()
    assert sum(logged.sent for logged in local_hub.take_log() if logged.side == "cdn") <= 100_000


@pytest.mark.torch
def test_an_archive_on_the_hub_reads_as_it_does_on_disk(local_hub: LocalHub, hub_client: Hub, tmp_path: Path) -> None:
    import torch

    from audacitorch.archive import read_archive

    path = tmp_path / "model.pt"
    torch.jit.script(torch.nn.Sequential(*(torch.nn.Linear(512, 512) for _ in range(8)))).save(str(path))
    local_hub.add_repo("ann/effect", {"model.pt": path}, lfs=["model.pt"])
    with open_model(local_hub, hub_client) as remote, path.open("rb") as local:
        assert read_archive(remote, remote.size, every_header=False) == read_archive(local, remote.size)
        assert remote.requests <= 8
        assert remote.received < remote.size // 10
