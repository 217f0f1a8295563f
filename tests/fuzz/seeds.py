"""Where fuzzing begins: one or a few inputs of each kind that are read without complaint, and hostile archives."""

from __future__ import annotations

import json
from typing import Any, Iterable, List

from scripts.benchmarks import handmade, hostile

#: Longer ones would take most of a run's time; that time is linear is tested elsewhere.
MOST_BYTES = 8192

_CODE = """op_version_set = 1
class K(Module):
  __parameters__ = ["w", ]
  __buffers__ = []
  w : Tensor
  training : bool
  rate : Final[int] = 44100
  __annotations__["0"] = __torch__.E
  def forward(self: __torch__.K,
    x: Tensor,
    n: Optional[int]=None) -> Tensor:
    _0 = annotate(List[Tensor], [])
    a, b, = (torch.add(x, (self).w, alpha=1), -1.5)
    if torch.__isnot__(n, None):
      c = unchecked_cast(int, n)
    else:
      c = uninitialized(int)
    for _1 in range(torch.len(_0)):
      _2 = torch.append(_0, torch.mul(a, b))
    d = {"a": [1, 2], "b": [inf, -inf]}
    def __f() -> Tensor:
      return torch.relu(x)
    e = torch.wait(fork(__f))
    g = (1, "\\"", e)[1:2]
    h = __torch__.N(x, 1)
    while bool(torch.lt(c, 3)):
      c = torch.add(c, 1)
    (self).training = True
    _3 = ops.prim.RaiseException("no")
    return __torch__.helper(a, getattr(self, "0"))
class N(NamedTuple):
  a : Tensor
  b : int
class E(Enum):
  A = 1
def helper(x: Tensor,
    y: __torch__.E) -> Tensor:
  return x
"""


#: A model that Torch 1.9.0 loads, with a statement of every kind that the exporter prints.
_LOADS = """  rate : Final[int] = 44100
  gain : Final[Tuple[float, str]] = (-0.5, "a")
  def forward(self: __torch__.kit.M,
    x: Tensor) -> Tensor:
    _0 = annotate(List[Tensor], [])
    a, b, = (torch.add(x, x, alpha=1), -1.5)
    n = annotate(Optional[int], torch.len(_0))
    if torch.__isnot__(n, None):
      c = torch.add(unchecked_cast(int, n), 1)
    else:
      c = uninitialized(int)
    for _1 in range(3):
      _2 = torch.append(_0, torch.mul(a, b))
    d = {"a": [1, 2], "b": [3]}
    e = torch.wait(fork(__torch__.h.id, x))
    g = (1, "q", e)[1:3]
    h = __torch__.h.N(x, (d["a"])[0])
    l = torch.stack(_0)
    while torch.lt(c, 3):
      c = torch.add(c, 1)
    k = __torch__.h.K.__new__(__torch__.h.K)
    _3 = (k).__init__(2)
    f = __torch__.h.E.A
    m = (self).scale(torch.relu((h).a), (k).a, )
    s = torch.format("{}", torch.str(f.value))
    i = [torch.size(m, 0), ops.prim.dtype(m), torch.len(s)]
    self.training = torch.eq(i[0], c)
    return torch.add(torch.sum(l), __torch__.h.id(m))
  def scale(self: __torch__.kit.M,
    x: Tensor,
    n: int=1) -> Tensor:
    if self.training:
      _0 = torch.mul_(x, n)
    else:
      ops.prim.RaiseException("no")
    return x
"""
_HELPERS = """class K:
  a : int
  def __init__(self: __torch__.h.K,
    a: int) -> NoneType:
    self.a = a
    return None
class N(NamedTuple):
  a : Tensor
  b : int
class E(Enum):
  A = 1
  B = 2
def id(x: Tensor) -> Tensor:
  return torch.neg(x)
"""
#: Renamed, widened, with an argument that came later, raising in a branch, a union, a layer without a batch.
_NEWER = """  def forward(self: __torch__.kit.M,
    x: Tensor) -> Tensor:
    a = torch.pad(x, [1, 2], "reflect")
    b = torch.concat([a, torch.pad(x, [0, 3])], -1)
    c = torch.gelu(b, approximate="tanh")
    d = torch.stft(torch.select(c, 0, 0), 4, 2, None, None, False, True, True, None)
    e = torch.conv1d(x, torch.ones([1, 1, 3]))
    f = torch.floor_divide(c, 2.)
    g = torch.div(c, 3, rounding_mode="floor")
    if torch.eq(torch.dim(x), 5):
      ops.prim.RaiseException("no", "builtins.ValueError")
      h = torch._upsample_bicubic2d_aa(x, [2, 2], False, None, None)
    else:
      h = x
    i = __torch__.h.either(x)
    j = __torch__.h.either(2)
    k = annotate(number, 2)
    l = torch.scaled_dot_product_attention(h, h, h)
    return torch.add(torch.sum(torch.abs(d)), torch.mean(torch.argwhere(torch.gt(l, k))))
"""
_NEWER_HELPERS = """def either(x: Union[Tensor, int]) -> Tensor:
  if isinstance(x, Tensor):
    y = unchecked_cast(Tensor, x)
  else:
    y = torch.tensor(unchecked_cast(int, x))
  return y
"""


def code() -> List[bytes]:
    written = [handmade.forward(statement.replace("P", payload)) for statement in hostile.STATEMENTS.values()
               for payload in list(hostile.PAYLOADS.values())[:1]]  # fmt: skip
    return _short(text.encode("utf-8", "surrogateescape") for text in (_CODE, *written))


def _short(made: Iterable[bytes]) -> List[bytes]:
    return [data for data in made if len(data) <= MOST_BYTES]


def archives() -> List[bytes]:
    """A harmless one of each layout, then the hostile ones."""
    plain = handmade.members({"__torch__.py": _CODE, "__torch__/kit.py": handmade.forward("")})
    loads = handmade.members({"__torch__/kit.py": handmade.HEAD + _LOADS, "__torch__/h.py": _HELPERS})
    return [handmade.Layout(loads).pack(), handmade.Layout(plain).pack(), *_short(hostile.archives().values())]


def newer_archives() -> List[bytes]:
    """What a backport takes: archives of 1.9.0 and of newer versions, with a call of each kind that it rewrites."""
    code = {"__torch__/kit.py": handmade.HEAD + _NEWER, "__torch__/h.py": _NEWER_HELPERS}
    return [handmade.Layout(handmade.members(code, version=b"10\n")).pack(), *archives()[:2]]


def pickled() -> List[bytes]:
    tensor = (
        b"\x80\x02c__torch__\nK\nq\0)\x81}(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n"
        b"FloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\4tQK\0K\4\x85K\1\x85\x89ccollections\nOrderedDict\n)RtR"
        b"X\1\0\0\0lctorch.jit._pickle\nbuild_intlist\n](K\1K\2e\x85Rub."
    )
    return [tensor, b"\x80\x02).", b"\x80\x02]q\0(h\0K\1\x88\x89NG\0\0\0\0\0\0\0\0e."]


def _json(*values: Any) -> List[bytes]:
    return [json.dumps(value, ensure_ascii=False).encode() for value in values]


def metadata() -> List[bytes]:
    card = {
        "sample_rate": 48000, "domains": ["music"], "domain_tags": ["music"], "short_description": "é\ud83d\ude00",
        "long_description": "…", "tags": ["a"], "labels": ["drums", "bass"], "effect_type": "waveform-to-waveform",
        "multichannel": False, "confidence_threshold": 0.5,
    }  # fmt: skip
    text = json.dumps(card).encode()
    return [text, json.dumps(card, indent=2).encode(), b'{"a": [1e5, -0.5, "\\u00e9\\n", {"b": null}], "a": true}']


def cards() -> List[bytes]:
    return [
        b"---\ntags:\n- audacity\n- music\nlicense: mit\n---\n# Model\n",
        b"---\ntags: [audacity, &a b, *a]\nx: {y: !!str 1, z: 2020-01-01}\n---\n",
        b"\xef\xbb\xbf---\r\ntags: audacity\r\n---\r\n",
        b"# A model\n",
    ]


def issues() -> List[bytes]:
    return [
        b"### Repo ID\n\nauthor/name\n\n### Why\n\n_No response_\n",
        b"**Repo id:** https://huggingface.co/author/name/tree/main <!-- a -->\n",
        b"Please add `author/name` or [this](https://hf.co/a/b).\n",
    ]


def comments() -> List[bytes]:
    return [
        b"/recheck\n", b"/decline\n\nIt has no labels.\n", b"> /accept abc\n\n/accept 0123456789\n",
        b"<p>\n/accept\n</p>",
    ]  # fmt: skip


def memories() -> List[bytes]:
    run = {"repo_id": "a/b", "revision": "0" * 40, "state": "ready", "checked_at": "2024-01-01T00:00:00Z"}
    from audacitorch.request.memory import MARKER

    return [f"{MARKER}{json.dumps({'runs': [run], 'pull': 3})} -->\nText".encode(), b"Text"]


def events() -> List[bytes]:
    issue = {
        "number": 3, "title": "A", "body": "### Repo ID\n\na/b", "state": "open", "labels": [{"name": "request"}],
        "user": {"login": "a", "type": "User"}, "author_association": "NONE", "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z", "html_url": "https://github.com/a/b/issues/3", "locked": False,
    }  # fmt: skip
    comment = {
        "id": 1, "body": "/accept", "user": {"login": "a", "type": "User"}, "author_association": "OWNER",
        "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "html_url": "https://github.com/",
    }  # fmt: skip
    events = {"action": "created", "issue": issue, "comment": comment}, {"inputs": {"issue": "#3"}}
    return _json(*events, {"action": "opened", "issue": issue})


def decisions() -> List[bytes]:
    plan = {
        "schema_version": 1, "issue": 3, "state": "ready", "checked_at": "2024-01-01T00:00:00Z", "repo_id": "a/b",
        "revision": "0" * 40, "reason": None, "report": None, "comment": "", "labels": {"add": [], "remove": []},
        "plan": "", "tool": {"name": "audacitorch", "version": "1.0.0"}, "next": [],
    }  # fmt: skip
    return _json(plan, {**plan, "state": "cannot-tell", "reason": {"kind": "empty", "about": [], "near": ["a/b"]}})


def hub_repos() -> List[bytes]:
    file = {"rfilename": "model.pt", "size": 3, "blobId": "0" * 40, "lfs": {"sha256": "0" * 64, "size": 3}}
    plain = {"rfilename": "README.md", "size": 3, "blobId": "0" * 40}
    return _json({"id": "a/b", "_id": "x", "sha": "0" * 40, "siblings": [file, plain], "gated": "auto"})


def hub_listings() -> List[bytes]:
    first = {"entries": [{"id": "a/b", "_id": "1"}, {"id": "a/c"}], "link": "https://hub.example/api/models?cursor=2"}
    return _json([first, [{"id": "a/d", "_id": "3"}]], [[]])
