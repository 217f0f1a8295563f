"""What the catalogue costs with many models: building it, its first page, a keystroke in its search; and Lighthouse.

Records are made from the demonstration's, under other names and with other texts. A keystroke is measured in Chromium,
from the key's event to the frame after the cards were drawn. Lighthouse (npm) rates the accessibility of a report, the
catalogue and a model's page.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.browser.pages import chromium, opened, served  # noqa: E402
from tests.needs import browser_program  # noqa: E402

PROGRAM = str(Path(sys.executable).with_name("audacitorch"))
DEMONSTRATION = ROOT / "examples" / "registry"
NPM = ROOT / "build" / "npm"
WORDS = "denoise vocal drum stem reverb pitch speech guitar remove separate restore label beat tempo clean".split()  # noqa: SIM905
LICENCES = ("mit", "apache-2.0", "cc-by-4.0", "gpl-3.0", None)
TYPED = ("d", "de", "den", "deno", "denoise", "denoise v", "denoise voc", "denoise vocal 7", "x", "ann")
#: From a key's event to the frame after the cards were drawn, in ms.
KEYSTROKE = """
async text => {
  const query = document.getElementById("query"), start = performance.now();
  query.value = text;
  query.dispatchEvent(new Event("input", {bubbles: true}));
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=10_000, help="default: %(default)d")
    parser.add_argument("--no-lighthouse", action="store_true", help="leave Lighthouse out, which npm downloads")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        registry, site = Path(scratch, "registry"), Path(scratch, "site")
        make_registry(registry, options.models)
        build(registry, site)
        weigh(site)
        type_words(site)
        if not options.no_lighthouse:
            rate(site, Path(scratch, "report"))


def make_registry(target: Path, count: int) -> None:
    """The demonstration with ``count`` models in all."""
    shutil.copytree(DEMONSTRATION, target)
    chosen = random.Random(16)  # noqa: S311
    records = [json.loads(path.read_text("utf-8")) for path in sorted(target.glob("models/*/*.json"))]
    stats: Dict[str, Any] = json.loads((target / "stats.json").read_text("utf-8"))
    for number in range(count - len(records)):
        record = dict(chosen.choice(records))
        words = chosen.sample(WORDS, 6)
        record["id"] = f"author-{chosen.randrange(count // 4)}/{words[0]}-{words[1]}-{number}"
        record["key"] = f"{number:024x}"
        record["licence"] = chosen.choice(LICENCES)
        if record["metadata"]:
            said = {"short_description": " ".join(words[2:]).capitalize() + f" {number}.", "tags": words[:3]}
            record["metadata"] = {**record["metadata"], **said}
        stats[record["id"]] = {"likes": int(chosen.paretovariate(1)), "downloads": 0}
        place = target / "models" / f"{record['id']}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(record), "utf-8")
    (target / "stats.json").write_text(json.dumps(stats), "utf-8")


def build(registry: Path, site: Path) -> None:
    """Build the site twice, in processes of their own; processor time does not depend on how busy the machine is."""
    for which in ("first build", "second build, nothing changed"):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [PROGRAM, "registry", "site", "--registry", str(registry), "-o", str(site)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        took = f"{time.perf_counter() - start:.1f} s, of it {busy:.1f} s of processor time"
        print(f"{which}: {took}, peak {after.ru_maxrss / 1024:,.0f} MB ({told.partition(' in ')[0]})")


def weigh(site: Path) -> None:
    """Bytes that a browser loads for the first page, and for the first search."""
    parts = {name: (site / name).read_bytes() for name in ("index.html", "style.css", "catalogue.js")}
    total = sum(map(len, parts.values()))
    told = ", ".join(f"{name} {len(content) / 1e3:,.0f}" for name, content in parts.items())
    print(f"first page: {total / 1e3:,.0f} kB (at most 300): {told} kB")
    search = (site / "search.json").read_bytes()
    packed = len(gzip.compress(search)) / 1e3
    print(
        f"search.json, once and when it is first used: {len(search) / 1e3:,.0f} kB, {packed:,.0f} kB as gzip sends it"
    )
    files = [path for path in site.rglob("*") if path.is_file()]
    print(f"all of it: {len(files):,} files, {sum(path.stat().st_size for path in files) / 1e6:,.0f} MB")


def type_words(site: Path) -> None:
    """Keystrokes in Chromium."""
    with served(site) as address, chromium() as browser, opened(browser, address) as watched:
        page = watched.page
        start = time.perf_counter()
        page.get_by_label("Search").fill("z")
        watched.eventually("document.getElementById('found').textContent.includes(' of ')")
        print(f"first keystroke, with search.json fetched and read: {1000 * (time.perf_counter() - start):.0f} ms")
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        drawn, busy = [], []
        for text in TYPED * 5:
            before = task_seconds(session)
            drawn.append(page.evaluate(KEYSTROKE, text))
            busy.append(1000 * (task_seconds(session) - before))
        told = f"slowest {max(drawn):.0f} ms (at most 50), {len(drawn)} keystrokes"
        print(f"a keystroke: {statistics.median(drawn):.0f} ms to the next frame, {told}")
        told = f"slowest {max(busy):.0f} ms: script, style and layout, however busy the machine is"
        print(f"a keystroke: {statistics.median(busy):.0f} ms of processor time, {told}")
        session.send("HeapProfiler.collectGarbage")
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        print(f"memory of the page's script: {heap:.0f} MB")


def task_seconds(session: Any) -> float:
    """Processor time of the page's main thread."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def rate(site: Path, report: Path) -> None:
    """Lighthouse's accessibility of three pages, in the same Chromium."""
    program = NPM / "node_modules" / ".bin" / "lighthouse"
    if not program.exists():
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(NPM), "lighthouse"]
        subprocess.run(command, check=True)
    example = str(ROOT / "examples" / "booster-net")
    subprocess.run([PROGRAM, "check", example, "--report", str(report)], check=False, capture_output=True)
    shutil.copy(report / "report.html", site / "report.html")
    pages = {"report": "report.html", "catalogue": "", "model": "models/demonstration/stereo-widener/"}
    with served(site) as address:
        for name, page in pages.items():
            command = [str(program), address + page, "--only-categories=accessibility", "--output=json", "--quiet"]
            command += ["--chrome-flags=--headless=new --no-sandbox"]
            environment = {**os.environ, "CHROME_PATH": str(browser_program())}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"Lighthouse failed: {done.stderr[-500:]}")
            found = json.loads(done.stdout)
            score = 100 * found["categories"]["accessibility"]["score"]
            weak = [
                audit["id"] for audit in found["audits"].values() if audit["score"] is not None and audit["score"] < 1
            ]
            print(f"Lighthouse, {name}: {score:.0f} (at least 95){f', not whole: {weak}' if weak else ''}")


if __name__ == "__main__":
    main()
