"""What a refresh and a sweep of trials cost: requests, time and memory.

The local Hub adds 50 ms to each answer. It is a process of its own, and so is whatever is measured. Comparisons are
made in one run, side by side.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
EXAMPLE = ROOT / "examples" / "booster-net"
LATENCY = 0.05
START = datetime(2024, 5, 1, 10, 0, tzinfo=timezone.utc)
NAMES = ("README.md", "metadata.json", "model.pt")
PARTS = ("cold", "bad", "large", "listing", "trials")
#: The Hub's published limits for anonymous callers, in requests per window of 300 s.
API_LIMIT, RESOLVER_LIMIT, WINDOW = 500, 3000, 300
SPAWN = multiprocessing.get_context("spawn")


def model_files(number: int) -> Dict[str, bytes]:
    """A good model, different for each number."""
    metadata = json.loads((EXAMPLE / "metadata.json").read_bytes())
    changed = json.dumps({**metadata, "long_description": f"model {number}"}).encode()
    readme = b"---\ntags: [audacity]\n---\n"
    return {"README.md": readme, "metadata.json": changed, "model.pt": (EXAMPLE / "model.pt").read_bytes()}


def serve(pipe: Any, count: int, latency: float, names: Tuple[str, ...], large: str) -> None:
    """The Hub's process: serves until its pipe closes; anything sent is answered with the log."""
    from tests.hub import Blob, LocalHub

    with LocalHub(latency=latency) as hub:
        if count:
            hub.add_many(count, model_files, names=names)
        if large:
            files = {name: Path(large, name) for name in ("metadata.json", "model.pt")}
            hub.add_repo("ann/large", {n: Blob(f, n == "model.pt") for n, f in files.items()}, tags=("audacity",))
        pipe.send(hub.url)
        while pipe.recv() is not None:
            pipe.send([(logged.side, logged.path, logged.sent) for logged in hub.take_log()])


class Hub:
    """The Hub, from outside."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self.url: str = pipe.recv()

    def log(self) -> List[Tuple[str, str, int]]:
        """Side, path and bytes of every request since the last call."""
        self._pipe.send("log")
        found: List[Tuple[str, str, int]] = self._pipe.recv()
        return found


@contextmanager
def local_hub(count: int, latency: float, names: Tuple[str, ...] = NAMES, large: str = "") -> Iterator[Hub]:
    """A Hub with so many repos."""
    ours, its = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(its, count, latency, names, large), daemon=True)
    process.start()
    try:
        yield Hub(ours)
    finally:
        ours.send(None)
        process.join()


def measured(work: Callable[..., Any], *arguments: Any) -> Tuple[Any, float, float]:
    """What ``work`` returns in a fresh process, its seconds without the start, and its peak memory in MB."""
    ours, its = SPAWN.Pipe()
    process = SPAWN.Process(target=_measure, args=(its, work, arguments))
    process.start()
    result = ours.recv()
    process.join()
    return result  # type: ignore[no-any-return]


def _measure(pipe: Any, work: Callable[..., Any], arguments: Any) -> None:
    start = time.perf_counter()
    value = work(*arguments)
    seconds = time.perf_counter() - start
    pipe.send((value, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def refresh_once(folder: str, url: str, hours: float) -> Dict[str, Any]:
    """A refresh; what it came to."""
    from audacitorch.hub import Hub as Client
    from audacitorch.registry.folder import RegistryFolder
    from audacitorch.registry.refresh import refresh

    with Client(url, token=False) as client:
        done = refresh(RegistryFolder(Path(folder)), client, START + timedelta(hours=hours))
    return {"written": done.written, "unchanged": done.unchanged, "fault": done.fault, "failed": len(done.failed)}


def plain_loop(url: str, cache: str, most: int) -> int:
    """The loop that people write: list, then for each repo its info and its metadata.json."""
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi(endpoint=url, token=False)
    count = 0
    for listed in api.list_models(filter="audacity"):
        if count == most:
            break
        api.model_info(listed.id)
        json.loads(
            Path(hf_hub_download(listed.id, "metadata.json", endpoint=url, cache_dir=cache, token=False)).read_text()
        )
        count += 1
    return count


def tree(folder: Path) -> Dict[str, Tuple[bytes, int]]:
    """Every file with its bytes and the time when it was written, but those that are about the last run only."""
    from audacitorch.registry.folder import VOLATILE

    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in VOLATILE)
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def bench_cold(repos: int, plain: int, scratch: Path) -> None:
    """A registry of so many repos from nothing, and again with nothing changed, beside the plain loop."""
    folder = scratch / "cold"
    folder.mkdir()
    with local_hub(repos, LATENCY) as hub:
        done, ours, memory = measured(refresh_once, str(folder), hub.url, 0.0)
        kinds = Counter(_kind(side, path) for side, path, _ in hub.log())
        looped, theirs, _ = measured(plain_loop, hub.url, str(scratch / "cache"), plain)
        hub.log()
        per_repo = theirs / looped
        print(f"{repos:,} repos, cold: {ours:.1f} s, {memory:.0f} MB; {done['written']:,} records written")
        record, code = kinds["details"] + kinds["metadata"], kinds["model"]
        print(f"  requests a repo: {record / repos:.2f} for the record (at most 3)")
        print(f"  requests a repo: {code / repos:.2f} for the archive's code (at most 8)")
        print(f"  plain loop over {looped:,} of them: {theirs:.1f} s, {per_repo * 1000:.0f} ms each")
        print(f"  ratio: {per_repo * repos / ours:.1f} times faster (at least 8)")
        before = tree(folder)
        for again in ("nothing changed", "once more"):
            done, seconds, _ = measured(refresh_once, str(folder), hub.url, 48.0)
            same = "byte-identical" if tree(folder) == before else "CHANGED"
            limit = -(-repos // 1000) + 1
            print(
                f"{repos:,} repos, {again}: {len(hub.log())} requests (at most {limit}), {seconds:.2f} s, tree {same}"
            )


def serve_bad(pipe: Any, healthy: int, bad: bool) -> None:
    """The Hub's process with healthy repos and, if asked for, one of each bad kind."""
    from tests.hub import LocalHub

    with LocalHub(latency=LATENCY) as hub:
        for number in range(healthy):
            hub.add_repo(f"healthy/effect-{number:02d}", model_files(number), lfs=("model.pt",), tags=("audacity",))
        for number, kind in enumerate(("hang", "drip", "error", "huge", "hog", "bomb") if bad else ()):
            files = model_files(100 + number)
            if kind == "huge":
                files["metadata.json"] = b" " * 50_000_000
            if kind == "bomb":
                files["README.md"] = (
                    b"---\ntags: [audacity]\na: &a [x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b]\n---\n"
                )
            hub.add_repo(f"bad{number}/{kind}", files, lfs=("model.pt",), tags=("audacity",))
        hub.fault("stall", path="bad0/hang", times=None, at=0, seconds=600)
        hub.fault("drip", path="bad1/drip", times=None, seconds=1.0)
        hub.fault("server-error", path="bad2/error", times=None)
        pipe.send(hub.url)
        pipe.recv()


def refresh_with_hostile_files(folder: str, url: str) -> None:
    """A refresh in which reading the files of a repo called hog holds the interpreter's lock."""
    from audacitorch.registry import examine
    from tests.registry.bad_repos import hostile

    setattr(examine, "read_files", hostile)  # noqa: B010 - it is imported there, and a checker sees no such name
    refresh_once(folder, url, 0.0)


def _healthy(folder: Path) -> List[Path]:
    return list((folder / "models").glob("healthy/*.json"))


def bench_bad(healthy: int, scratch: Path) -> None:
    """Healthy repos alone, and beside one of each bad kind: when the last of the healthy ones was written."""
    seconds: Dict[bool, float] = {}
    for bad in (False, True):
        folder = scratch / f"bad-{bad}"
        folder.mkdir()
        ours, its = SPAWN.Pipe()
        server = SPAWN.Process(target=serve_bad, args=(its, healthy, bad), daemon=True)
        server.start()
        start = time.time()
        runner = SPAWN.Process(target=refresh_with_hostile_files, args=(str(folder), ours.recv()))
        runner.start()
        written = _healthy(folder)
        while len(written) < healthy and runner.is_alive():
            time.sleep(0.02)
            written = _healthy(folder)
        seconds[bad] = max((path.stat().st_mtime for path in written), default=0.0) - start
        count = len(written)
        runner.join()
        all_of_it = time.time() - start
        beside = ", beside one of each bad kind" if bad else ""
        print(f"{count} of {healthy} healthy repos written after {seconds[bad]:.2f} s{beside}; all: {all_of_it:.1f} s")
        ours.send(None)
        server.join(5)
    print(f"  ratio: {seconds[True] / seconds[False]:.2f} (at most 2)")


def _kind(side: str, path: str) -> str:
    if side == "cdn" or path.endswith("/model.pt"):
        return "model"
    if path.endswith("/metadata.json"):
        return "metadata"
    return "details" if "/revision/" in path else "listing"


def bench_large(megabytes: int, scratch: Path) -> None:
    """An archive with a gigabyte of weights: what is read of it, and that the findings are those of the whole file."""
    folder, registry = scratch / "large", scratch / "large-registry"
    folder.mkdir()
    registry.mkdir()
    shutil.copy(EXAMPLE / "metadata.json", folder)
    source = _model_with_findings()
    with zipfile.ZipFile(source) as small, zipfile.ZipFile(folder / "model.pt", "w") as target:
        top = small.namelist()[0].split("/")[0]
        members = small.infolist()
        for member in members[: len(members) // 2]:
            target.writestr(member, small.read(member))
        with target.open(zipfile.ZipInfo(f"{top}/data/1000"), "w", force_zip64=True) as weights:
            for _ in range(megabytes):
                weights.write(bytes(1 << 20))
        for member in members[len(members) // 2 :]:
            target.writestr(member, small.read(member))
    with local_hub(0, LATENCY, large=str(folder)) as hub:
        _, seconds, memory = measured(refresh_once, str(registry), hub.url, 0.0)
        log = hub.log()
    read = sum(sent for side, _, sent in log if side == "cdn")
    requests = sum(_kind(side, path) == "model" for side, path, _ in log)
    same, count = _same_findings(folder, registry)
    size = (folder / "model.pt").stat().st_size
    print(f"model.pt of {size / 1e9:.2f} GB ({source.name}): {read / 2**20:.3f} MiB read (under 2)")
    print(f"  {requests} requests, {seconds:.2f} s, {memory:.0f} MB")
    print(f"  {count} findings, {'the same as' if same else 'NOT THOSE'} of the whole file")


def _model_with_findings() -> Path:
    """A published model whose code Torch 1.9.0 does not take, where it is installed."""
    from importlib.util import find_spec

    found = find_spec("silero_vad")
    published = Path(found.origin).parent / "data" / "silero_vad.jit" if found and found.origin else None
    return published if published is not None and published.is_file() else EXAMPLE / "model.pt"


def _same_findings(folder: Path, registry: Path) -> Tuple[bool, int]:
    from audacitorch.check import Options, check
    from audacitorch.registry.folder import RegistryFolder
    from audacitorch.repo.model_repo import FolderRepo
    from audacitorch.trial.starters import worker_starter

    report = check(FolderRepo(folder), Options(static=True), worker_starter()).to_json()
    elsewhere = ("not-in-lfs", "card-tag-missing", "card-front-matter")  # these speak of the place, not of the files
    whole = [finding for finding in report["findings"] if finding["rule"] not in elsewhere]
    record = RegistryFolder(registry).find("ann/large")
    found = (record.static or {})["findings"] if record else []
    return json.loads(json.dumps(whole)) == found and report["archive"] == (record and record.archive), len(found)


def bench_listing(sizes: List[int], scratch: Path) -> None:
    """Listings of more and more repos: seconds and memory for recording all of them, and with nothing changed."""
    per_repo: List[float] = []
    for size in sizes:
        folder = scratch / f"listing-{size}"
        folder.mkdir()
        with local_hub(size, 0.0, names=("README.md",)) as hub:
            _, cold, memory = measured(refresh_once, str(folder), hub.url, 0.0)
            _, again, memory_again = measured(refresh_once, str(folder), hub.url, 1.0)
        per_repo.append(again / size)
        most = max(memory, memory_again)
        print(f"{size:,} listed: {cold:.1f} s cold, {again:.1f} s unchanged, {most:.0f} MB (under 500)")
        shutil.rmtree(folder)
    each = ", ".join(f"{value * 1e6:.0f} µs" for value in per_repo)
    print(f"  time for each, unchanged: {each}; linear where they agree")
    _cost_of_a_million(per_repo[-1])


def _cost_of_a_million(seconds: float) -> None:
    million = 1_000_000
    pages = million // 1000
    api, resolvers = pages + million, 3 * million
    hours = max(api / API_LIMIT, resolvers / RESOLVER_LIMIT) * WINDOW / 3600
    daily = pages + million // 100
    print(f"a million repos, anonymous ({API_LIMIT} API and {RESOLVER_LIMIT} resolver requests in {WINDOW} s):")
    limit, work = pages / API_LIMIT * WINDOW / 60, seconds * million / 60
    print(f"  unchanged: {pages:,} requests, {limit:.0f} min of the limit, {work:.0f} min of work")
    print(f"  one in a hundred changed: {daily:,} API requests, {daily / API_LIMIT * WINDOW / 3600:.1f} h")
    print(f"  cold: {api:,} API and {resolvers:,} resolver requests, {hours:,.0f} h; with PRO's 2,500 a fifth of that")


def sweep(registry: str, url: str, cache: str, processes: int, scheduler: str, forked: bool) -> Dict[str, int]:
    """Trials of everything that is planned; statuses with their number."""
    from audacitorch.registry.cluster import cluster_or_processes
    from audacitorch.registry.executors import Disk
    from audacitorch.registry.folder import RegistryFolder
    from audacitorch.registry.jobs import Setting
    from audacitorch.registry.testing import run_trials

    engine = cluster_or_processes(scheduler, processes)
    setting = Setting(url, cache, forked=forked)
    try:
        done = run_trials(RegistryFolder(Path(registry)), engine, setting, Disk(1 << 32), START)
    finally:
        engine.close()
    return dict(Counter([*done.statuses.values(), *("failed" for _ in done.failures)]))


def bench_trials(models: int, scratch: Path) -> None:
    """The same small models on one process, on two, and on a Dask cluster of two workers.

    Workers are fresh processes, each of which imports Torch, or forked from one that has. Models compute for most of
    the time: what else the machine does counts against two processes, so its load is shown.
    """
    folder = scratch / "trials"
    folder.mkdir()
    with local_hub(models, LATENCY) as hub:
        refresh_once(str(folder), hub.url, 0.0)
        run = partial(_timed_sweep, folder, hub.url, scratch)
        run("one process, fresh workers", 1, "", False)
        run("two processes, fresh workers", 2, "", False)
        one, two = run("one process, forked workers", 1, "", True), run("two processes, forked workers", 2, "", True)
        print(f"  two processes over one: {one / two:.2f} times faster")
        with dask_cluster() as address:
            cluster = run("a Dask cluster of two workers, forked workers", 1, address, True)
        print(f"  a Dask cluster over one process: {one / cluster:.2f} times faster (at least 1.7)")


def _timed_sweep(
    folder: Path, url: str, scratch: Path, name: str, processes: int, scheduler: str, forked: bool
) -> float:
    copy = scratch / "trials-copy"
    shutil.copytree(folder, copy)
    statuses, seconds, _ = measured(sweep, str(copy), url, str(scratch / "downloads"), processes, scheduler, forked)
    shutil.rmtree(copy)
    count, load = sum(statuses.values()), os.getloadavg()[0]
    print(
        f"{count} models on {name}: {seconds:.1f} s, {count / seconds:.2f} a second, load {load:.1f}, {statuses}",
        flush=True,
    )
    return float(seconds)


@contextmanager
def dask_cluster() -> Iterator[str]:
    """A scheduler and two workers on this machine, each a process."""
    import distributed

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--repos", type=int, default=1000, help="default: %(default)d")
    parser.add_argument("--plain", type=int, help="how many of them the plain loop goes through (default: all)")
    parser.add_argument("--megabytes", type=int, default=1000, help="of weights in the large archive")
    parser.add_argument("--listing", type=int, nargs="+", default=[25_000, 50_000, 100_000], metavar="N")
    parser.add_argument("--models", type=int, default=64, help="to test (default: %(default)d)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, {LATENCY * 1000:.0f} ms added to each answer")
    with tempfile.TemporaryDirectory() as name:
        parts: Dict[str, Callable[[Path], None]] = {
            "cold": partial(bench_cold, options.repos, options.plain or options.repos),
            "bad": partial(bench_bad, 20),
            "large": partial(bench_large, options.megabytes),
            "listing": partial(bench_listing, options.listing),
            "trials": partial(bench_trials, options.models),
        }
        for part in options.only or PARTS:
            parts[part](Path(name))


if __name__ == "__main__":
    main()
