"""Sounds of built-in models: who is run for them, what is kept, and what a stranger's file becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import List

import pytest

from audacitorch.catalogue.site import write_site
from audacitorch.hear.clips import Clip, standard_clips
from audacitorch.hear.listening import Heard
from audacitorch.hear.page_data import dumps, loads, small
from audacitorch.hear.pictures import sound_of
from audacitorch.registry import testing
from audacitorch.registry.folder import LONGEST_SOUNDS
from audacitorch.registry.jobs import plan
from tests.registry.world import START, World


def heard() -> Heard:
    music = standard_clips(44100, False)[0]
    clip = Clip(music.title, music.samples[:44100], 44100, ())
    sound = sound_of(clip.samples, clip.rate)
    return Heard(clip, sound, 0.1, (("boosted", sound),))


def keep(world: World, sounds: object) -> None:
    result = {**world.result("ann/good"), "sounds": sounds}
    testing.apply(world.folder, result, START)


def wanted(world: World) -> List[str]:
    return [job.id for job in plan(world.folder, sounds=True) if job.sounds]


def test_only_built_in_models_are_run_for_their_sounds_and_once(full: World) -> None:
    assert plan(full.folder) == []
    assert wanted(full) == ["ann/broken", "ann/good"]
    keep(full, "")  # nothing came of it
    assert wanted(full) == ["ann/broken"]
    from tests.registry.world import model_files

    full.commit("ann/good", model_files(8))
    full.refresh(hours=48)
    assert wanted(full) == ["ann/broken", "ann/good"]


def test_a_models_page_plays_what_was_kept(full: World, tmp_path: Path) -> None:
    keep(full, dumps([small(heard())], {}))
    write_site(full.folder, tmp_path / "site")
    folder = tmp_path / "site/models/ann/good"
    text = (folder / "index.html").read_text()
    files = sorted(folder.glob("*.ogg"))
    assert files
    assert all(f'src="{file.name}"' in text for file in files)
    assert "data:audio" not in text
    assert sorted(folder.glob("*.webp"))


@pytest.mark.parametrize(
    "kept",
    ["{", "[]", '{"clips": 7}', '{"clips": [{"title": "<script>"}], "lines": []}', "x" * (LONGEST_SOUNDS + 1), 7],
)
def test_a_file_that_is_not_sounds_is_left_out(full: World, tmp_path: Path, kept: object) -> None:
    keep(full, kept)
    path = full.folder.sounds / f"{full.record('ann/good').key}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"content": full.record("ann/good").content, "page": kept}))
    write_site(full.folder, tmp_path / "site")
    assert "What it does" not in (tmp_path / "site/models/ann/good/index.html").read_text()


def test_sounds_of_other_files_are_not_played(full: World, tmp_path: Path) -> None:
    keep(full, dumps([small(heard())], {}))
    from tests.registry.world import model_files

    full.commit("ann/good", model_files(9))
    full.refresh(hours=48)
    write_site(full.folder, tmp_path / "site")
    assert "What it does" not in (tmp_path / "site/models/ann/good/index.html").read_text()


def test_small_sounds_are_smaller_and_as_long() -> None:
    one = heard()
    shrunk = small(one)
    assert len(shrunk.given.audio) < 0.7 * len(one.given.audio)
    (again,), _ = loads(dumps([shrunk], {}))
    assert len(again.clip.samples) == len(one.clip.samples)
    assert again.tracks[0][0] == "boosted"
