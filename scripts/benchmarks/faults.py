"""Model repos with one fault each, made by tables: in the card, in ``forward``, in the operators, in the archive.

Nothing here comes from the fixtures of the tests: the tables say what people do wrong, in their words, and which rule
has to say so. Each fault is put into a repo that is good without it (:func:`bases`).
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

import torch

Card = Dict[str, Any]
BOTH = ("spec", "audacity-3.2-alpha")
SPEC, ALPHA = BOTH[:1], BOTH[1:]

_CARD: Card = {
    "sample_rate": 44100,
    "domains": ["music"],
    "domain_tags": ["music"],
    "short_description": "Turns it up.",
    "long_description": "Multiplies every sample by one half, whatever it is.",
    "tags": ["gain"],
    "labels": ["louder"],
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
}
_LABELER = {**_CARD, "labels": ["cat", "dog"], "effect_type": "waveform-to-labels"}
_MULTICHANNEL = {**_CARD, "labels": ["left", "right"], "multichannel": True}
_README = "---\ntags:\n- audacity\n---\n# A model\n"
_LFS = "*.pt filter=lfs diff=lfs merge=lfs -text\n"


@dataclass
class Fault:
    """One fault: the rules of which one must name it, and the hosts that must not pass (none where it is a warning)."""

    name: str
    rules: Tuple[str, ...]
    files: Dict[str, bytes]
    fails: Tuple[str, ...] = BOTH


# --- in the card ------------------------------------------------------------------------------------------------------


def _set(name: str, value: Any) -> Callable[[Card], Card]:
    return lambda card: {**card, name: value}


def _without(name: str) -> Callable[[Card], Card]:
    return lambda card: {key: value for key, value in card.items() if key != name}


_MISSING = (
    "sample_rate", "short_description", "long_description", "tags", "labels", "effect_type", "multichannel",
)  # fmt: skip
#: Values that a field can't have. The alphas read ``domain_tags``, the specification reads ``domains``.
_VALUES: Tuple[Tuple[str, Any, str], ...] = (
    ("sample_rate", "44100", "type"), ("sample_rate", None, "type"), ("sample_rate", 44100.5, "type"),
    ("sample_rate", [44100], "type"), ("sample_rate", True, "type"), ("sample_rate", -44100, "range"),
    ("sample_rate", 1_000_000, "range"), ("sample_rate", 10**30, "range|type"),
    ("domains", "music", "type"), ("domains", [1], "type"), ("domains", {"music": True}, "type"),
    ("domain_tags", "music", "type"), ("domain_tags", [1], "type"), ("domain_tags", None, "type"),
    ("tags", "gain", "type"), ("tags", [["gain"]], "type"), ("tags", [None], "type"),
    ("tags", [f"tag{number}" for number in range(9)], "count"), ("labels", "louder", "type"), ("labels", [1], "type"),
    ("labels", None, "type"), ("labels", {"0": "louder"}, "type"), ("short_description", ["Turns it up."], "type"),
    ("short_description", 5, "type"), ("short_description", "Turns it up. " * 10, "length"),
    ("long_description", None, "type"), ("long_description", "Halves. " * 90, "length"),
    ("effect_type", "waveform_to_waveform", "value"), ("effect_type", "Waveform-To-Waveform", "value"),
    ("effect_type", "effect", "value"), ("effect_type", None, "type|value"),
    ("effect_type", ["waveform-to-waveform"], "type"),
    ("multichannel", "false", "type"), ("multichannel", 0, "type"), ("multichannel", None, "type"),
)  # fmt: skip
#: Texts that are no card.
_TEXTS: Mapping[str, Tuple[bytes, str]] = {
    "is-empty": (b"", "metadata-json"),
    "is-yaml": (b"sample_rate: 44100\ndomains: [music]\n", "metadata-json"),
    "is-python": (repr(_CARD).encode(), "metadata-json"),
    "has-a-comment": (json.dumps(_CARD, indent=1).replace("{", "{ // card", 1).encode(), "metadata-json"),
    "has-a-trailing-comma": (json.dumps(_CARD).replace("}", ",}").encode(), "metadata-json"),
    "has-two-values": (json.dumps(_CARD).encode() * 2, "metadata-json"),
    "lacks-its-last-bracket": (json.dumps(_CARD)[:-1].encode(), "metadata-json"),
    "is-a-list": (json.dumps([_CARD]).encode(), "metadata-json"),
    "is-a-text": (json.dumps(json.dumps(_CARD)).encode(), "metadata-json"),
    "has-a-key-twice": (json.dumps(_CARD).replace("{", '{"tags": [], ', 1).encode(), "metadata-json"),
    "is-utf-16": (json.dumps(_CARD).encode("utf-16"), "metadata-encoding"),
    "is-latin-1": (json.dumps({**_CARD, "tags": ["é"]}, ensure_ascii=False).encode("latin-1"), "metadata-encoding"),
}


def _of_cards() -> Iterator[Fault]:
    good = _repo("effect")
    for name in _MISSING:
        card = json.dumps(_without(name)(_CARD)).encode()
        yield Fault(f"card-without-{name}", ("metadata-field-missing",), {**good, "metadata.json": card})
    for number, (name, value, end) in enumerate(_VALUES):
        rules = tuple(f"metadata-field-{one}" for one in end.split("|"))
        card = json.dumps(_set(name, value)(_CARD)).encode()
        fails = {"domains": SPEC, "domain_tags": ALPHA}.get(name, BOTH)
        yield Fault(f"card-{number}-{name}", rules, {**good, "metadata.json": card}, fails)
    for name, (text, rule) in _TEXTS.items():
        yield Fault(f"card-{name}", (rule,), {**good, "metadata.json": text})
    for domain in ("Music", "audio", "drums"):
        card = json.dumps({**_CARD, "domains": [domain], "domain_tags": [domain]}).encode()
        yield Fault(f"card-domain-{domain}", ("metadata-domain-unknown",), {**good, "metadata.json": card}, ALPHA)
    card = json.dumps({**_CARD, "tags": ["a-tag-that-is-far-too-long-to-show"]}).encode()
    yield Fault("card-tag-too-long", ("metadata-field-length",), {**good, "metadata.json": card}, ())
    card = json.dumps({key: value for key, value in _CARD.items() if "domain" not in key}).encode()
    yield Fault("card-without-domains", ("metadata-field-missing",), {**good, "metadata.json": card})
    card = json.dumps({**_CARD, "labels": ["louder", "louder"]}).encode()
    yield Fault("card-label-twice", ("duplicate-labels", "output-labels-mismatch"), {**good, "metadata.json": card})


# --- in forward -------------------------------------------------------------------------------------------------------

#: Bodies of an effect's ``forward(self, x: Tensor)``: what it returns, the rules, and the hosts that must not pass.
_EFFECTS: Mapping[str, Tuple[str, ...]] = {
    "returns-a-list": ("return [x]", "output-type"),
    "returns-a-tuple": ("return (x, x)", "output-type"),
    "returns-a-dictionary": ('return {"audio": x}', "output-type"),
    "returns-a-number": ("return float(x.sum())", "output-type"),
    "returns-nothing": ("return None", "output-type"),
    "returns-a-text": ('return "louder"', "output-type"),
    "returns-doubles": ("return x.double()", "output-dtype"),
    "returns-halves": ("return x.half()", "output-dtype"),
    "returns-truth": ("return x > 0", "output-dtype"),
    "returns-16-bit-numbers": ("return (x * 32767).to(torch.int16)", "output-dtype"),
    "returns-complex-numbers": ("return torch.fft.fft(x)", "output-dtype"),
    "returns-one-dimension": ("return x[0]", "output-shape"),
    "returns-a-batch": ("return x.unsqueeze(0)", "output-shape"),
    "returns-one-value": ("return x.mean()", "output-shape"),
    "returns-samples-first": ("return x.t()", "output-shape", "output-length", "output-labels-mismatch"),
    "returns-a-spectrogram": (
        "return torch.stft(x[0], 512, center=True, return_complex=True).abs()",
        "output-shape", "output-length", "output-labels-mismatch",
    ),
    "returns-stereo": ("return torch.cat([x, x])", "output-labels-mismatch"),
    "returns-no-channel": ("return x[:0]", "output-labels-mismatch", "output-shape"),
    "returns-every-second-sample": ("return x[:, ::2]", "output-length"),
    "returns-twice-as-many": ("return torch.cat([x, x], 1)", "output-length"),
    "returns-the-first-second": ("return x[:, :44100]", "output-length"),
    "returns-nothing-of-it": ("return x[:, :0]", "output-length", "output-shape"),
    "returns-whole-frames": ("return x[:, : x.size(1) // 16384 * 16384]", "output-length", "short-input"),
    "returns-a-tail": ("return torch.nn.functional.pad(x, [0, 22050])", "output-length"),
    "returns-valid-frames": (
        "return torch.conv1d(x.unsqueeze(1), torch.ones([1, 1, 3001])).squeeze(1)", "output-length", "short-input",
    ),
    "is-never-finite": ("return x / 0.0", "output-not-finite"),
    "normalizes-by-the-peak": ("return x / x.abs().max()", "output-not-finite"),
    "normalizes-by-deviation": ("return (x - x.mean()) / x.std()", "output-not-finite", "short-input"),
    "takes-logarithms": ("return torch.log(x.abs())", "output-not-finite"),
    "takes-roots": ("return x.sqrt()", "output-not-finite"),
    "overflows": ("return x * 1e38 * 1e3", "output-not-finite"),
    "always-raises": ('raise RuntimeError("no")', "forward-error"),
    "asserts-one-second": ("assert x.size(1) == 44100\nreturn x", "forward-error", "short-input"),
    "asserts-stereo": ("assert x.size(0) == 2\nreturn x", "forward-error"),
    "wants-a-batch": ("return torch.conv1d(x, torch.ones([1, 1, 1]))", "forward-error"),
    "wants-stereo-weights": ("return torch.conv1d(x.unsqueeze(0), torch.ones([1, 2, 1]))[0]", "forward-error"),
    "wants-whole-frames": ("return x.view(1, -1, 512).view(1, -1)", "forward-error", "short-input"),
    "wants-even-lengths": ("return x.reshape(1, -1, 2).flatten(1)", "forward-error", "short-input"),
    "wants-a-frame": ("y = x.unfold(1, 4096, 1024)\nreturn x + y.mean()", "short-input", "forward-error"),
    "wants-loud-sound": ('if float(x.abs().max()) == 0.0:\n    raise RuntimeError("quiet")\nreturn x', "forward-error"),
    "multiplies-unlike-sizes": ("return x + torch.ones([1, 48000])", "forward-error"),
    "takes-an-index-too-far": ("return x[3:4] + x[3]", "forward-error"),
    "never-ends": ("while True:\n    x = x + 1\nreturn x", "timeout"),
    "asks-for-all-memory": ("return x + torch.zeros([1 << 38]).sum()", "out-of-memory", "forward-error"),
    "goes-to-cuda": ('return x.to("cuda").cpu()', "device-in-code", "forward-error"),
    "makes-zeros-on-cuda": ('return x + torch.zeros([1], device="cuda")', "device-in-code", "forward-error"),
    "reads-a-file": ('return x + torch.from_file("/etc/hostname", False, 1).sum()', "file-access"),
    "writes-a-file": ('torch.save([x], "/tmp/heard.pt")\nreturn x', "file-access"),
}  # fmt: skip
#: The same, where a warning has to say so.
_ODD_EFFECTS: Mapping[str, Tuple[str, ...]] = {
    "ignores-what-it-gets": ("return torch.sin(torch.arange(x.size(1)) / 9.0).unsqueeze(0)", "ignores-input"),
    "remembers-the-last-block": ("y = x + self.state\nself.state = x.abs().mean().reshape(1)\nreturn y", "stateful"),
    "counts-its-blocks": ("self.state += 1.0\nreturn x * self.state", "stateful"),
    "drops-in-use": ("return torch.nn.functional.dropout(x, 0.5, True)", "training-mode", "stateful"),
    "loses-a-few-samples": ("return x[:, : x.size(1) - 3]", "output-length"),
    "wants-a-few-samples": ("return x + x.unfold(1, 100, 1).mean()", "short-input"),
    "is-slow": ("y = x\nfor i in range(30000):\n    y = y + torch.sin(x) * 1e-9\nreturn y", "slow", "timeout"),
}  # fmt: skip
#: Bodies of a labeler's, where ``n`` is a number of steps, ``p`` class probabilities, ``t`` their times in seconds.
_LABELERS: Mapping[str, Tuple[str, ...]] = {
    "returns-labels-alone": ("return p", "output-type"),
    "returns-three": ("return (p, t, t)", "output-type"),
    "returns-a-list": ("return [p, t]", "output-type"),
    "returns-a-dictionary": ('return {"labels": p, "times": t}', "output-type"),
    "returns-sound": ("return x", "output-type"),
    "gives-three-dimensions": ("return (p.unsqueeze(0), t)", "output-shape"),
    "gives-one-time-a-step": ("return (p, t[:, 0])", "output-shape"),
    "gives-three-times-a-step": ("return (p, torch.cat([t, t[:, :1]], 1))", "output-shape"),
    "gives-times-across": ("return (p, t.t())", "output-shape"),
    "gives-fewer-times": ("return (p, t[1:])", "output-shape"),
    "gives-three-classes": ("return (torch.cat([p, p[:, :1]], 1), t)", "output-labels-mismatch"),
    "gives-one-class": ("return (p[:, :1], t)", "output-labels-mismatch"),
    "gives-whole-seconds": ("return (p, t.long())", "output-dtype"),
    "gives-texts": ('return (["cat"], t)', "output-type"),
    "gives-nan": ("return (p / 0.0 * 0.0, t)", "output-not-finite"),
    "gives-times-of-nan": ("return (p, t * 0.0 / 0.0)", "output-not-finite"),
    "gives-milliseconds": ("return (p, t * 1000.0)", "timestamps-unit", "timestamps-range"),
    "gives-samples": ("return (p, t * 44100.0)", "timestamps-unit", "timestamps-range"),
    "gives-frames": ("return (p, t * 86.0)", "timestamps-unit", "timestamps-range"),
    "ends-before-it-starts": ("return (p, t.flip([1]))", "timestamps-order"),
    "starts-before-zero": ("return (p, t - 3.0)", "timestamps-order"),
    "is-empty-in-time": ("return (p, torch.stack([t[:, 0], t[:, 0]], 1))", "timestamps-order"),
    "always-says-the-same": ("return (torch.zeros([n, 2]) + torch.tensor([[0.9, 0.1]]), t)", "ignores-input"),
    "always-raises": ('raise RuntimeError("no")', "forward-error"),
    "wants-a-second": ("y = x.unfold(1, 44100, 44100).mean()\nreturn (p + 0.0 * y, t)", "short-input", "forward-error"),
}
#: Those of a labeler of class indices, which the alphas take; for the specification its form is odd already.
_INDEXERS: Mapping[str, Tuple[str, ...]] = {
    "indexes-out-of-range": ("return (p.argmax(1) + 2, t)", "label-index-out-of-range"),
    "indexes-from-one": ("return (p.argmax(1) + 1, t)", "label-index-out-of-range"),
    "indexes-below-zero": ("return (p.argmax(1) - 1, t)", "label-index-out-of-range"),
    "gives-milliseconds": ("return (p.argmax(1), t * 1000.0)", "timestamps-unit", "timestamps-range"),
    "ends-before-it-starts": ("return (p.argmax(1), t.flip([1]))", "timestamps-order"),
    "gives-three-times-a-step": ("return (p.argmax(1), torch.cat([t, t[:, :1]], 1))", "output-shape"),
    "gives-fewer-times": ("return (p.argmax(1), t[1:])", "output-shape"),
    "gives-a-step-too-many": ("return (torch.cat([p.argmax(1), p.argmax(1)]), t)", "output-shape"),
    "gives-whole-seconds": ("return (p.argmax(1), t.long())", "output-dtype"),
    "goes-to-cuda": ('return (p.to("cuda").argmax(1), t)', "device-in-code", "forward-error"),
    "raises-when-short": (
        'if x.size(1) < 20000:\n    raise RuntimeError("short")\nreturn (p.argmax(1), t)',
        "short-input",
    ),
}
_ODD_LABELERS: Mapping[str, Tuple[str, ...]] = {
    "gives-logits": ("return (torch.log(p) * 3.0, t)", "probabilities-range"),
    "gives-percent": ("return (p * 100.0, t)", "probabilities-range"),
    "goes-beyond-the-block": ("return (p, t + 1.0)", "timestamps-range"),
}
_MULTICHANNELS: Mapping[str, Tuple[str, ...]] = {
    "takes-mono-only": ("return torch.conv1d(x.unsqueeze(0), torch.ones([2, 1, 1]))[0]", "fails-on-stereo"),
    "takes-stereo-only": ("return torch.conv1d(x.unsqueeze(0), torch.ones([2, 2, 1]))[0]", "fails-on-mono"),
    "asserts-mono": ("assert x.size(0) == 1\nreturn torch.cat([x, x])", "fails-on-stereo"),
    "takes-the-second-channel": ("return torch.stack([x[1], x[0]])", "fails-on-mono"),
    "mixes-down": ("return x.mean(0, keepdim=True)", "output-labels-mismatch"),
}
#: Other signatures of ``forward``.
_SIGNATURES: Mapping[str, str] = {
    "takes-a-rate": "def forward(self, x: Tensor, rate: int) -> Tensor:\n    return x\n",
    "takes-two-sounds": "def forward(self, x: Tensor, y: Tensor) -> Tensor:\n    return x + y\n",
    "takes-a-list": "def forward(self, x: List[Tensor]) -> Tensor:\n    return x[0]\n",
    "takes-a-dictionary": "def forward(self, x: Dict[str, Tensor]) -> Tensor:\n    return x['audio']\n",
    "takes-a-number": "def forward(self, x: float) -> float:\n    return x\n",
    "takes-nothing": "def forward(self) -> int:\n    return 1\n",
    "is-called-process": "def process(self, x: Tensor) -> Tensor:\n    return x\n",
}
_STEPS = """    n = max(1, x.size(1) // 44100)
    p = torch.softmax(torch.stack([x.mean() * torch.ones([n]), x.std(unbiased=False) * torch.ones([n])], 1), 1)
    at = torch.arange(n) * (x.size(1) / 44100.0 / n)
    t = torch.stack([at, at + x.size(1) / 44100.0 / n], 1)
"""


def _forward(body: str, before: str = "") -> str:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return f"def forward(self, x: Tensor):\n{before}{lines}"


def _scripted(source: str) -> bytes:
    plain = type("Model", (torch.nn.Module,), {})()
    if "self.state" in source:
        plain.register_buffer("state", torch.zeros(1))
    module = torch.jit.script(plain)
    module.define(source)
    return _saved(module)


def _saved(module: Any) -> bytes:
    file = io.BytesIO()
    torch.jit.save(module.eval(), file)
    return file.getvalue()


def _of_models() -> Iterator[Fault]:
    tables: Tuple[Tuple[str, Mapping[str, Tuple[str, ...]], str, Tuple[str, ...]], ...] = (
        ("effect", _EFFECTS, "", BOTH), ("effect", _ODD_EFFECTS, "", ()), ("labeler", _LABELERS, _STEPS, SPEC),
        ("labeler", _ODD_LABELERS, _STEPS, ()), ("indexer", _INDEXERS, _STEPS, BOTH),
        ("multichannel", _MULTICHANNELS, "", BOTH),
    )  # fmt: skip
    for base, table, before, fails in tables:
        for name, (body, *rules) in table.items():
            files = {**_repo(base), "model.pt": _scripted(_forward(body, before))}
            yield Fault(f"{base}-{name}", tuple(rules), files, fails)
    for name, source in _SIGNATURES.items():
        yield Fault(f"forward-{name}", ("forward-signature",), {**_repo("effect"), "model.pt": _scripted(source)})
    for dtype, name in ((torch.float16, "half"), (torch.float64, "double"), (torch.bfloat16, "bfloat16")):
        model = _saved(_Layer(torch.nn.Conv1d(1, 1, 1).to(dtype)).script())
        yield Fault(f"weights-{name}", ("weights-dtype",), {**_repo("effect"), "model.pt": model})


class _Layer(torch.nn.Module):
    """A layer in a model that takes and gives what the host does."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layer(x.unsqueeze(0))
        return y[0]

    def script(self) -> Any:
        return torch.jit.script(self)


# --- in the operators -------------------------------------------------------------------------------------------------

#: Statements of what newer versions and other libraries print, ahead of ``return x``.
_OPERATORS: Mapping[str, Tuple[str, str]] = {
    "pad": ('x = torch.pad(x, [1, 1], "reflect")', "unknown-operator"),
    "concat": ("x = torch.concat([x, x], 1)", "unknown-operator"),
    "cross": ("y = torch.linalg_cross(x, x)", "unknown-operator"),
    "attention": ("y = torch.scaled_dot_product_attention(x, x, x)", "unknown-operator"),
    "misspelt": ("y = torch.leaky_rellu(x)", "unknown-operator"),
    "stft-argument": ("y = torch.stft(x, 8, 4, 8, None, False, True, True, None)", "operator-arguments|newer-export"),
    "gelu-argument": ('y = torch.gelu(x, approximate="tanh")', "operator-arguments"),
    "einsum-argument": ('y = torch.einsum("ij->ji", [x], path=None)', "operator-arguments"),
    "raise-argument": ('ops.prim.RaiseException("no", "builtins.ValueError")', "operator-arguments|newer-export"),
    "misspelt-keyword": ("y = torch.sum(x, dims=[1])", "operator-arguments"),
    "one-argument-too-few": ("y = torch.conv1d(x)", "operator-arguments"),
    "text-for-a-tensor": ('y = torch.relu("x")', "operator-arguments"),
    "torchaudio": ("y = ops.torchaudio.sox_effects_apply_effects_tensor(x, 44100, [], True)", "custom-operator"),
    "torchvision": ("y = ops.torchvision.nms(x, x, 0.5)", "custom-operator"),
    "fairseq": ("y = ops.fairseq.ngram_repeat_block(x)", "custom-operator"),
    "torio": ("y = ops.torio.ffmpeg_decode(x)", "custom-operator"),
    "union": ("y = annotate(Union[Tensor, int, str], x)", "unknown-type"),
    "await": ("y = annotate(Await[Tensor], x)", "unknown-type"),
}


def _of_operators() -> Iterator[Fault]:
    from scripts.benchmarks import handmade

    for name, (statement, rules) in _OPERATORS.items():
        code = {"__torch__/kit.py": handmade.forward(f"    {statement}\n")}
        files = {**_repo("effect"), "model.pt": handmade.Layout(handmade.members(code)).pack()}
        yield Fault(f"operator-{name}", tuple(rules.split("|")), files)
    for version in (7, 8, 9, 10, 11, 99):
        listed = handmade.members({"__torch__/kit.py": handmade.forward("")}, version=b"%d\n" % version)
        yield Fault(
            f"format-{version}",
            ("file-format-too-new",),
            {**_repo("effect"), "model.pt": handmade.Layout(listed).pack()},
        )


# --- in the archive and the folder ------------------------------------------------------------------------------------


def _members(data: bytes) -> List[Tuple[zipfile.ZipInfo, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info, archive.read(info)) for info in archive.infolist()]


def _packed(members: List[Tuple[zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for info, content in members:
            archive.writestr(info.filename, content)
    return file.getvalue()


def _lacking(data: bytes, end: str) -> bytes:
    return _packed([one for one in _members(data) if not one[0].filename.endswith(end)])


def _with(data: bytes, name: str, content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    return _packed([*_members(data), (zipfile.ZipInfo(name), content)], method)


def _archives(good: bytes) -> Mapping[str, Tuple[bytes, str]]:
    state, array = io.BytesIO(), io.BytesIO()
    torch.save({"weight": torch.ones(3)}, state)
    torch.save(torch.nn.Linear(1, 1), array, _use_new_zipfile_serialization=False)
    top = good[30 : good.index(b"/")].decode()
    inside = good.index(b"PK\3\4", good.index(b".py")) - 60  # of the packed code
    damaged = good[:inside] + b"DAMAGED" + good[inside + 7 :]
    not_a_model = "not-torchscript"
    return {
        "is-empty": (b"", not_a_model),
        "is-cut-off": (good[: len(good) // 2], not_a_model),
        "lacks-its-end": (good[:-10], not_a_model),
        "is-a-text": (b"hello\n", not_a_model),
        "is-a-web-page": (b"<!DOCTYPE html><title>Sign in</title>", not_a_model),
        "is-json": (b'{"error": "not found"}', not_a_model),
        "is-a-state-dictionary": (state.getvalue(), not_a_model),
        "is-an-old-pickle": (array.getvalue(), not_a_model),
        "is-a-zip-of-text": (_packed([(zipfile.ZipInfo("a.txt"), b"a")]), not_a_model),
        "is-a-gzip": (b"\x1f\x8b\x08" + bytes(30), not_a_model),
        "is-a-tar": (b"model.py" + bytes(249) + b"ustar\x0000" + bytes(246), not_a_model),
        "is-hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), not_a_model),
        "lacks-its-constants": (_lacking(good, "constants.pkl"), not_a_model),
        "lacks-its-data": (_lacking(good, "data.pkl"), not_a_model),
        "lacks-its-version": (_lacking(good, "version"), "file-format-too-new"),
        "lacks-a-tensor": (_lacking(good, "/data/0"), not_a_model),
        "is-damaged": (damaged, f"{not_a_model}|unusual-code"),
        "has-a-member-twice": (_with(good, f"{top}/version", b"3\n"), "unsafe-archive"),
        "climbs-out": (_with(good, f"{top}/../../x", b"x"), "unsafe-archive"),
        "has-an-absolute-name": (_with(good, "/etc/passwd", b"x"), "unsafe-archive"),
        "is-a-bomb": (_with(good, f"{top}/extra/x", bytes(50 << 20), zipfile.ZIP_DEFLATED), "unsafe-archive"),
        "is-packed-oddly": (_packed(_members(good), zipfile.ZIP_LZMA), "unsafe-archive"),
        "has-bytes-behind-it": (good + bytes(100), "unsafe-archive|not-torchscript"),
        "has-bytes-before-it": (b"#!/bin/sh\n" + good, "unsafe-archive|not-torchscript"),
        "holds-a-program": (_with(good, f"{top}/setup.py", b"import os\n"), "unsafe-archive"),
        "holds-a-pickle": (_with(good, f"{top}/x.pkl", b"cos\nsystem\n(S'id'\ntR."), "unsafe-archive"),
    }  # fmt: skip


def _of_files() -> Iterator[Fault]:
    good = _repo("effect")
    layer = _saved(_Layer(torch.nn.Conv1d(1, 1, 1)).script())
    for name, (data, rules) in _archives(layer).items():
        yield Fault(f"archive-{name}", tuple(rules.split("|")), {**good, "model.pt": data})
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    yield Fault("archive-is-a-pointer", ("lfs-pointer",), {**good, "model.pt": pointer})
    for name in ("model.pt", "metadata.json"):
        yield Fault(f"folder-without-{name}", ("missing-file",), {key: good[key] for key in good if key != name})
    for name, text in (("no-tag", "# A model\n"), ("other-tag", "---\ntags: [audio]\n---\n")):
        yield Fault(f"readme-with-{name}", ("card-tag-missing",), {**good, "README.md": text.encode()}, ())
    broken = b"---\ntags: [audacity\n---\n"
    yield Fault("readme-is-no-yaml", ("card-front-matter",), {**good, "README.md": broken}, ())


# --- all of them ------------------------------------------------------------------------------------------------------

_GOOD: Mapping[str, Tuple[Card, str]] = {
    "effect": (_CARD, _forward("return x * 0.5")),
    "labeler": (_LABELER, _forward("return (p, t)", _STEPS)),
    "indexer": (_LABELER, _forward("return (p.argmax(1), t)", _STEPS)),
    "multichannel": (_MULTICHANNEL, _forward("return torch.stack([x[0], x[x.size(0) - 1]])")),
}


def _repo(base: str) -> Dict[str, bytes]:
    card, source = _GOOD[base]
    texts = {"metadata.json": json.dumps(card, indent=2), "README.md": _README, ".gitattributes": _LFS}
    return {**{name: text.encode() for name, text in texts.items()}, "model.pt": _scripted(source)}


def bases() -> Iterator[Fault]:
    """The repos without a fault; a labeler of probabilities is one for the specification only."""
    for name in _GOOD:
        yield Fault(f"without-a-fault-{name}", (), _repo(name), ALPHA if name == "labeler" else ())


def faults() -> Iterator[Fault]:
    """Every fault, each in a repo of its own."""
    for source in (_of_cards, _of_models, _of_operators, _of_files):
        yield from source()


def write(fault: Fault, base: Path) -> Path:
    """The repo as a folder below ``base``."""
    folder = base / fault.name
    folder.mkdir(parents=True)
    for name, content in fault.files.items():
        (folder / name).write_bytes(content)
    return folder
