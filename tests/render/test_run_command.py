"""`audacitorch run`, the program: what it writes, what it refuses, how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import List

import pytest

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")

from audacitorch.render.batch import jobs_for  # noqa: E402
from audacitorch.trial.starters import torch_python  # noqa: E402
from tests import made  # noqa: E402
from tests.hub import LocalHub  # noqa: E402
from tests.program import PROGRAM, run  # noqa: E402
from tests.render.rendered import noise  # noqa: E402
from tests.trial import modules  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here")]
REPOS = Path(__file__).resolve().parents[1] / "repos"
EFFECT, PROBABILITIES = str(REPOS / "good-effect"), str(REPOS / "good-labeler-of-probabilities")
INDICES = str(REPOS / "good-labeler-of-indices")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "song.wav", noise(3000), 44100)
    return tmp_path / "song.wav"


def visible_names(folder: Path) -> List[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_closing_line_and_a_second_run_that_is_refused(song: Path, tmp_path: Path) -> None:
    first = run("run", EFFECT, str(song), "-o", str(tmp_path / "out"))
    assert (first.returncode, first.stderr) == (0, "")
    path, summary = first.stdout.splitlines()
    assert path == str(tmp_path / "out" / "song-better.wav")
    assert summary.startswith(f"{song}: 1 track, 0.1 s of audio in ")
    assert summary.endswith("times real time), 1 block, none failed.")
    before = Path(path).stat()
    second = run("run", EFFECT, str(song), "-o", str(tmp_path / "out"))
    assert (second.returncode, second.stdout) == (2, "")
    assert "song-better.wav exists, and would be overwritten" in second.stderr
    assert Path(path).stat() == before
    assert run("run", EFFECT, str(song), "-o", str(tmp_path / "out"), "--force").returncode == 0
    assert Path(path).stat().st_ino != before.st_ino


def test_a_recording_that_is_called_like_a_result_is_kept(song: Path, tmp_path: Path) -> None:
    """take1.wav and take1-better.wav in one call: the first one's result has the second one's name."""
    other = tmp_path / "song-better.wav"
    soundfile.write(other, noise(500), 44100)
    data = other.read_bytes()
    words = "run", EFFECT, str(song), str(other), "-o", str(tmp_path)
    done = run(*words)
    assert done.returncode == 2
    assert "song-better.wav is an input of this call" in done.stderr
    assert other.read_bytes() == data
    assert soundfile.info(tmp_path / "song-better-better.wav").frames == 500
    assert run(*words, "--force").returncode == 0
    assert soundfile.info(tmp_path / "song-better-better.wav").frames == 500
    assert soundfile.info(other).frames == 3000


def test_one_odd_file_does_not_stop_the_others(song: Path, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    done = run(
        "run", EFFECT, str(tmp_path / "text.wav"), str(tmp_path / "gone.wav"), str(song), "-o", str(tmp_path / "o")
    )
    assert done.returncode == 2
    assert visible_names(tmp_path / "o") == ["song-better.wav"]
    assert len(done.stderr.splitlines()) == 2
    assert "text.wav can't be read as audio" in done.stderr


def test_a_folder_with_folders(tmp_path: Path) -> None:
    music = tmp_path / "music"
    for name in ("b.wav", "a.flac", "album/a.wav", ".hidden/c.wav", "cover.jpg", "out/old.wav"):
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".jpg"):
            (music / name).write_bytes(b"picture")
        else:
            soundfile.write(music / name, noise(100), 44100)
    done = run("run", EFFECT, str(music), "-o", str(music / "out"))
    assert (done.returncode, done.stderr) == (0, "")
    assert visible_names(music / "out") == ["a-better.wav", "album/a-better.wav", "b-better.wav", "old.wav"]


def test_a_folder_without_audio_is_said(tmp_path: Path) -> None:
    done = run("run", EFFECT, str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "There are no audio files in" in done.stderr


def test_files_of_one_name_go_to_files_of_their_own() -> None:
    files = [Path("a/st.wav"), Path("b/st.flac"), Path("other.wav"), Path("St.ogg")]
    assert [job.name for job in jobs_for(files, Path("out"))] == ["st", "st-2", "other", "St-3"]
    numbered = [Path("a/st.wav"), Path("b/st.wav"), Path("a/st-2.wav"), Path("c/ST-2.wav")]
    assert [job.name for job in jobs_for(numbered, Path("out"))] == ["st", "st-3", "st-2", "ST-2-2"]


def test_ten_thousand_files_of_one_name_are_named_in_no_time() -> None:
    files = [Path(f"{number}/st.wav") for number in range(10_000)]
    assert jobs_for(files, Path("out"))[-1].name == "st-10000"


def test_an_empty_name_is_refused_and_not_taken_for_the_working_folder(song: Path) -> None:
    for words in ((EFFECT, ""), (EFFECT, str(song), "-o", "")):
        done = run("run", *words)
        assert (done.returncode, "the name is empty" in done.stderr) == (2, True)


def test_six_channels_of_one_host_are_named_by_their_tracks(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "six.wav", noise(500, 6), 44100)
    done = run("run", EFFECT, str(tmp_path / "six.wav"), "-o", str(tmp_path / "o"))
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()[1::2]] == [f"six {n}" for n in range(1, 7)]


def test_a_folder_in_the_way_and_a_place_for_no_files(song: Path, tmp_path: Path) -> None:
    (tmp_path / "o" / "song-better.wav").mkdir(parents=True)
    places = [(EFFECT, str(tmp_path / "o"), "it is a folder")]
    places += [(repo, "/proc/nowhere", "can't be written") for repo in (EFFECT, PROBABILITIES)]
    for repo, folder, reason in places:
        done = run("run", repo, str(song), "-o", folder)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert reason in done.stderr
    assert visible_names(tmp_path / "o") == []


@pytest.mark.parametrize("track_format", ["wav", "flac", "ogg"])
def test_a_disk_that_takes_no_more_leaves_nothing_half_written(tmp_path: Path, track_format: str) -> None:
    soundfile.write(tmp_path / "long.wav", noise(400_000), 44100)
    words = "-o", str(tmp_path / "o"), "--output-format", track_format
    done = subprocess.run(
        [*PROGRAM, "run", EFFECT, str(tmp_path / "long.wav"), *words],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("audacitorch: ")
    assert "can't be written: File too large." in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.slow
def test_a_signal_leaves_no_worker_no_file_and_one_line(tmp_path: Path, number: int, status: int) -> None:
    repo = made.repo(tmp_path / "slow", modules.EndlessLoop())
    soundfile.write(tmp_path / "song.wav", noise(3000), 44100)
    command = [*PROGRAM, "run", str(repo), str(tmp_path / "song.wav"), "-o", str(tmp_path / "o")]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        end = time.monotonic() + 60
        while not list((tmp_path / "o").glob(".*")) and time.monotonic() < end:
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (workers := children.read_text().split()) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (status, "")
    assert len(errors.splitlines()) == 1
    assert "not written" in errors
    assert not (tmp_path / "o").exists()
    assert list(scratch.iterdir()) == []
    assert workers
    assert not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers)


def test_labels_in_every_format(song: Path, tmp_path: Path) -> None:
    formats = [word for name in ("csv", "json", "TextGrid") for word in ("--label-format", name)]
    done = run("run", PROBABILITIES, str(song), "-o", str(tmp_path / "o"), *formats)
    assert done.returncode == 0
    assert visible_names(tmp_path / "o") == ["song.TextGrid", "song.csv", "song.json", "song.txt"]
    rows = (tmp_path / "o" / "song.txt").read_text().splitlines()
    assert len(json.loads((tmp_path / "o" / "song.json").read_text())["labels"]) == len(rows) > 0
    assert f"{len(rows)} label" in done.stdout


def test_hosts_that_differ_are_both_shown(song: Path, tmp_path: Path) -> None:
    done = run("run", INDICES, str(song), "-o", str(tmp_path / "o"), "--host", "all")
    assert done.returncode == 0
    assert visible_names(tmp_path / "o") == ["song (audacity-3.2-alpha).txt", "song (spec).txt"]
    assert "song (Audacity 3.2 alpha): " in done.stdout
    assert "song (the specification): " in done.stdout
    assert "The model gives class indices." in done.stderr
    alone = run("run", PROBABILITIES, str(song), "-o", str(tmp_path / "p"), "--host", "all")
    assert alone.returncode == 1
    assert visible_names(tmp_path / "p") == ["song (spec).txt"]
    assert "no label track" in alone.stdout


def test_hosts_of_an_effect_make_the_same_and_it_is_written_once(song: Path, tmp_path: Path) -> None:
    assert run("run", EFFECT, str(song), "-o", str(tmp_path / "o"), "--host", "all").returncode == 0
    assert visible_names(tmp_path / "o") == ["song-better.wav"]


def test_json_for_programs(song: Path, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    done = run("run", EFFECT, str(song), str(tmp_path / "text.wav"), "-o", str(tmp_path / "o"), "--json")
    assert done.returncode == 2
    good, bad = json.loads(done.stdout)["files"]
    assert good["tracks"][0]["written"] == [str(tmp_path / "o" / "song-better.wav")]
    assert (good["error"], good["tracks"][0]["blocks"], good["tracks"][0]["failed_blocks"]) == (None, 1, 0)
    assert "can't be read" in bad["error"]
    assert bad["tracks"] == []


def test_a_part_of_a_file(song: Path, tmp_path: Path) -> None:
    words = "--start", "0.01", "--duration", "0.02"
    assert run("run", EFFECT, str(song), "-o", str(tmp_path / "o"), *words).returncode == 0
    assert soundfile.info(tmp_path / "o" / "song-better.wav").frames == 882
    late = run("run", EFFECT, str(song), "-o", str(tmp_path / "p"), "--start", "5")
    assert (late.returncode, "0.07 s long" in late.stderr) == (2, True)
    assert run("run", EFFECT, str(song), "--start", "-1").returncode == 2
    assert run("run", EFFECT, str(song), "--duration", "0").returncode == 2


def test_a_page_with_the_files_to_hear(song: Path, tmp_path: Path) -> None:
    """The page of a check, with what was selected of each file that could be read before the standard clips."""
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "six.wav", noise(300_000, 6), 44100)
    files = [str(tmp_path / name) for name in ("text.wav", "song.wav", "six.wav")]
    words = *files, "-o", str(tmp_path / "o"), "--start", "0.01", "--report", str(tmp_path / "pages" / "page.html")
    done = run("run", EFFECT, *words)
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == str(tmp_path / "pages" / "page.html")
    page = (tmp_path / "pages" / "page.html").read_text(encoding="utf-8")
    titles = [title for title in re.findall("<h3>(.*)</h3>", page) if not title.startswith("<code>")]
    assert titles[:3] == ["song, from 0.01 s", "six 1, from 0.01 s", "Like music"]
    assert "PASS for the specification" in page
    assert page.count("<audio") >= 2 * 4
    assert visible_names(tmp_path / "pages") == ["page.html"]
    again = run("run", EFFECT, *words[3:], files[1], "--start", "0")
    assert (again.returncode, "page.html exists" in again.stderr) == (2, True)
    assert run("run", EFFECT, files[1], "-o", str(tmp_path / "p"), "--report", files[1]).returncode == 2
    assert not (tmp_path / "p").exists()


def test_a_page_says_why_no_host_runs_a_model(song: Path, tmp_path: Path) -> None:
    done = run("run", str(REPOS / "model-cut-in-half"), str(song), "--report", str(tmp_path / "page.html"))
    assert done.returncode == 1
    assert "not-torchscript" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_progress_with_the_time_left_is_for_terminals(song: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "run", EFFECT, str(song), "-o", str(tmp_path / "o")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    output = process.communicate(timeout=60)[0].decode()
    os.close(ours)
    assert process.returncode == 0
    assert b"song.wav" in shown
    assert b"%" in shown
    assert b"-:--:--" in shown or b"0:00:0" in shown
    assert "\x1b" not in output


def test_a_model_of_the_hub_in_one_call(song: Path, tmp_path: Path, local_hub: LocalHub) -> None:
    """An effect and a labeler, by repo id; nothing of what was fetched stays."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for repo in (Path(EFFECT), Path(PROBABILITIES)):
        names = ("model.pt", "metadata.json", "README.md")
        local_hub.add_repo(f"ann/{repo.name}", {name: (repo / name).read_bytes() for name in names}, lfs=["model.pt"])
        words = "run", f"ann/{repo.name}", str(song), "-o", str(tmp_path / "o"), "--endpoint", local_hub.url
        done = run(*words, TMPDIR=str(scratch))
        assert (done.returncode, done.stderr) == (0, "")
    assert visible_names(tmp_path / "o") == ["song-better.wav", "song.txt"]
    assert list(scratch.iterdir()) == []
