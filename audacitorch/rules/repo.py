"""Rules about the repo itself: its id, its files, and how the Hub stores them."""

from __future__ import annotations

import re
from typing import Iterator, Optional

from audacitorch.facts import Repo
from audacitorch.findings import ERROR, NOTE, WARNING, Problem
from audacitorch.hosts import by_host
from audacitorch.repo.metadata_file import show
from audacitorch.rules import rule
from audacitorch.wording import sentence

MODEL = "model.pt"
METADATA = "metadata.json"

#: Names that people give these files; compared in lower case, in the repo's top folder.
NEAR_MISSES = {
    MODEL: re.compile(r".*\.(pt|pth|ptl|ts|jit|torchscript|bin|onnx|safetensors|ckpt)", re.DOTALL),
    METADATA: re.compile(r"(meta|metadata|model_?card|config|info)(_?data)?\.(json|jsonc|json5|ya?ml|toml|txt)"),
}

#: The Hub takes no larger file in a plain git push: beyond this, a file is in LFS or Xet storage, or not there.
LARGEST_PLAIN_FILE = 10_000_000


@rule(
    title="The repo id is `author/name`",
    reason="Audacity splits the id at `/` into exactly these two, and asks the Hub for their files.",
    hint="Write the id as the model's page on the Hub shows it, such as hugggof/vocal-separation.",
    severity=ERROR,
)
def repo_id(repo: Repo) -> Iterator[Problem]:
    if repo.id is None:
        return
    from audacitorch.hub.repos import repo_id_fault  # only what comes from the Hub has an id

    fault = repo_id_fault(repo.id)
    if fault is not None:
        yield Problem(sentence(fault))


@rule(
    title="model.pt and metadata.json exist",
    reason="Audacity downloads exactly these two files from the repo's top folder.",
    hint="Export the model with audacitorch.utils.save_model(serialized_model, metadata, folder).",
    severity=ERROR,
    after=("repo-id",),
)
def missing_file(repo: Repo) -> Iterator[Problem]:
    if MODEL not in repo.files and METADATA not in repo.files and not _near_miss(repo, MODEL):
        what = "No model has been exported here yet: neither model.pt nor metadata.json is there."
        yield Problem(what, MODEL, details={"missing": [MODEL, METADATA]})
        return
    for wanted in (MODEL, METADATA):
        if wanted in repo.files:
            continue
        near = _near_miss(repo, wanted)
        hint = None
        if near is not None:
            hint = f"Is {show(near)} the file? Audacity looks for `{wanted}` in the top folder, with exactly this name."
        yield Problem(f"{wanted} is missing.", wanted, hint=hint, details={"missing": [wanted]})


def _near_miss(repo: Repo, wanted: str) -> Optional[str]:
    """The file that was probably meant: the same name in other letters or in a folder first, then a usual misnomer."""
    others = sorted(name for name in repo.files if name not in (MODEL, METADATA))
    for name in others:
        if name.rpartition("/")[2].lower() == wanted:
            return name
    return next((name for name in others if NEAR_MISSES[wanted].fullmatch(name.lower())), None)


@rule(
    title="model.pt is kept in LFS storage",
    reason="Audacity 3.2 alpha shows a model only where the Hub's answer has the header x-linked-size, which it has "
    "for files in LFS or Xet storage and for no others.",
    hint="git lfs install && git lfs track '*.pt' && git rm -q --cached --ignore-unmatch model.pt && "
    "git add .gitattributes model.pt && git commit -m 'model.pt in LFS'",
    severity=by_host(lambda host: WARNING if host.finds_plain_files else ERROR),
    after=("missing-file",),
)
def not_in_lfs(repo: Repo) -> Iterator[Problem]:
    model = repo.files.get(MODEL)
    if model is None or model.lfs:
        return
    if repo.source == "hub":
        if model.lfs is False:
            yield Problem("model.pt is committed as a plain file, not in LFS storage.", MODEL)
    elif model.size <= LARGEST_PLAIN_FILE:
        message = "Nothing here says that model.pt will be in LFS storage on the Hub, where Audacity needs it."
        yield Problem(message, MODEL, severity=NOTE)
