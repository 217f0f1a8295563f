"""Write a corpus of TorchScript archives with whatever PyTorch runs this file: `python export_corpus.py FOLDER`.

Every module is scripted, traced where it has only tensors to give, frozen, and saved for the mobile interpreter, as far
as the running PyTorch can do that; what it can't do is left out and counted. It needs torch and nothing else, and runs
under every PyTorch since 1.4.
"""

# ruff: noqa
# The modules below are written in every way that people write theirs, old ways included.

import io
import re
import sys
import warnings
from enum import Enum
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

warnings.simplefilter("ignore")


class Color(Enum):
    RED = 1
    BLUE = 2


class Word(Enum):
    A = "a"
    B = "é"


class Pair(NamedTuple):
    left: Tensor
    right: Tensor
    count: int


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Strings(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tensor, List[str]]:
        odd = ["a'b", 'a"b', "a\\b", "a\nb\tc\rd\x0be\x0cf\x07g\x08h", "a\0b", "a\x01\x1f\x7fb", "é😀", "{}%s", ""]
        more = [
            "# typed: int",
            "torch.save",
            "ops.aten.save(x)",
            "__torch__.a",
            "\\",
            "\\\\n",
            "'''",
            '"""',
            "\x80\xff",
        ]
        return x, odd + more


class Formats(nn.Module):
    def forward(self, x: Tensor) -> str:
        count = x.size(0)
        return "{} and {}: ü".format(count, x.dim()) + "%d%s" % (count, "a") + str(count)


class FString(nn.Module):
    def forward(self, x: Tensor) -> str:
        assert x.dim() == 2, f"expected 2 dimensions, got {x.dim()}"
        return f"{x.size(0)} by {x.size(1)}"


class StringMethods(nn.Module):
    def forward(self, x: Tensor, text: str = "a b") -> List[str]:
        return [text.upper(), text.strip(), text.replace("a", "b"), "-".join(text.split(" ")), text[0], text[1:]]


class Exceptions(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.size(0) > 7:
            raise ValueError("too many: {}".format(x.size(0)))
        elif x.size(0) == 6:
            raise RuntimeError("six")
        assert x.dim() > 0
        return x


class Branches(nn.Module):
    def forward(self, x: Tensor, mode: Optional[str] = None, scale: float = 1.0) -> Tensor:
        if mode is None:
            return x
        if mode == "up" and scale > 1.0 or not self.training:
            x = x * scale
        elif mode in ["down", "away"]:
            x = x / scale if scale != 0 else x
        else:
            y = x
            for _ in range(3):
                y = y + 1
                if bool(y.sum() > 100):
                    break
                if bool(y.sum() > 50):
                    continue
                y = y * 2
            x = y
        return x


class Loops(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tensor, List[int], Dict[str, int]]:
        total = torch.zeros([1])
        rows: List[int] = []
        names: Dict[str, int] = {}
        for index in range(x.size(0)):
            total = total + x[index].sum()
            rows.append(index)
        for index, row in enumerate(rows):
            names[str(row)] = index
        for left, right in zip(rows, rows):
            total = total + left * right
        while bool(total > 10):
            total = total / 2
        return total, rows[::-1], names


class Comprehensions(nn.Module):
    def forward(self, x: Tensor) -> List[Tuple[int, float]]:
        squares = [i * i for i in [1, 2, 3]]
        return [(s, float(s) / 2) for s in squares]


class Dicts(nn.Module):
    def forward(self, x: Tensor) -> Tuple[int, List[str], Dict[int, Tensor]]:
        table = {"a": 1, "b": 2}
        del table["a"]
        keys = list(table.keys())
        tensors: Dict[int, Tensor] = {}
        tensors[1] = x
        for value in table.values():
            tensors[value] = x + value
        for name, value in table.items():
            tensors[value] = x
        found = table.get("b")
        if found is not None:
            tensors[found] = x
        return len(table), keys, {1: x, 2: tensors[1]}


class Slices(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x.clone()
        y[0, 1:2] = 1
        y[..., 0] += 2.0
        y[:, None].sum()
        z = y[:, ::2]
        index = torch.tensor([0, 1])
        return z[index] + y[index][:, :1]


class Numbers(nn.Module):
    def forward(self, x: Tensor) -> Tuple[float, float, int, Tensor]:
        a = [1.0, -1.5, 1e30, 1e-30, float("inf"), -float("inf"), 3.141592653589793, 0.1]
        b = [0, -1, 9223372036854775807, 1 << 20]
        c = (x.size(0) // 2 + 7 % 3 - b[3]) << 2
        return a[0], float("nan"), (c + b[0]) & 3, x**2 - 1 + 2 / (x + 3) // 1


class Complex(nn.Module):
    def forward(self, x: Tensor) -> Tuple[complex, Tensor]:
        return (1 + 2j) * 3, torch.view_as_complex(x.reshape(-1, 2)).abs()


class Devices(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros([2], dtype=torch.float64, device=x.device)
        z = torch.ones([2], dtype=x.dtype, device=torch.device("cpu"), layout=torch.strided)
        if x.is_cuda or x.requires_grad or x.is_quantized:
            return y
        return (y + z).to(torch.float32).to(x.device).to(x)


class ToList(nn.Module):
    def forward(self, x: Tensor) -> List[List[float]]:
        rows: List[List[float]] = x.tolist()
        return rows


class Optionals(nn.Module):
    def forward(self, x: Optional[Tensor], y: Optional[List[int]] = None, z: Optional[Tuple[int, float]] = None) -> int:
        total = 0
        if x is not None and x.dim() > 0:
            total += x.dim()
        if y is not None:
            total += len(y)
        if z is not None:
            first, second = z
            total += first
        assert x is not None
        return total + x.size(0)


class Unions(nn.Module):
    def forward(self, x: Tensor, y: "Optional[int]" = None) -> Any:
        value: Any = x
        if isinstance(value, Tensor):
            return value
        return y


class Enums(nn.Module):
    def forward(self, x: Tensor, color: Color = Color.RED) -> Tuple[int, str, Color]:
        if color == Color.BLUE:
            return 0, "", Color.RED
        return color.value, color.name, color


class WordEnums(nn.Module):
    def forward(self, x: Tensor) -> List[str]:
        return [word.value for word in Word]


class NamedTuples(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        pair = Pair(x, x + 1, 2)
        other = Pair(left=pair.left, right=pair.right, count=pair.count)
        left, right, count = other
        return Pair(left * count, right, other.count)


class Attributes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = [1, 2, 3]
        self.table = {"a": [1.0], "b": [2.0]}
        self.pair = (1, "x")
        self.maybe: Optional[int] = None
        self.count = 0
        self.register_buffer("running", torch.zeros(2))
        self.register_buffer("größe", torch.ones(2))
        self.register_buffer("lambda", torch.ones(2))
        self.weight = nn.Parameter(torch.ones(2))
        self.none = None

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.running = self.running + self.numbers[0]
        self.numbers.append(self.count)
        self.table["c"] = [float(self.count)]
        return x * self.weight.sum() + self.running.sum() + self.pair[0]


class Words(nn.Module):
    """Children and methods that are called as Python's words, TorchScript's namespaces, and operators."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("lambda", "yield", "from", "try", "save", "from_file", "ops", "CONSTANTS", "0", "a-b"):
            self.add_module(name, Plain())
        self.layers = nn.ModuleDict({"save": Plain(), "load": Plain(), "1": Plain(), "a b": Plain()})

    def forward(self, x: Tensor) -> Tensor:
        x = self.save(x)
        for layer in self.layers.values():
            x = layer(x)
        return getattr(self, "lambda")(getattr(self, "0")(x)) + self.ops(x)


class Arguments(nn.Module):
    def forward(self, x: Tensor, str_: str = "", float: float = 1.0, input: int = 2, min: int = 3) -> Tensor:
        attribute = x
        fork = attribute + 1
        CONSTANTS = fork + min
        ops = CONSTANTS * input
        aten = ops
        inf = aten
        getattr = inf
        return getattr * float


class TorchName(nn.Module):
    def forward(self, x: Tensor, print: int = 1, range: int = 2) -> Tensor:
        uninitialized = x
        unchecked_cast = uninitialized + print
        annotate = unchecked_cast * range
        as_ = annotate
        return as_ + 1


def _helper(x: Tensor, factor: float) -> Tensor:
    return x * factor


def _recursive_helper(x: Tensor) -> Tensor:
    return _helper(x, 2.0) + _helper(x, 3.0)


class Functions(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _recursive_helper(x) + nn.functional.relu(x) + nn.functional.dropout(x, 0.5, self.training)


class Forks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        first = torch.jit._fork(_helper, x, 2.0)
        second = torch.jit._fork(_recursive_helper, x)
        return torch.jit._wait(first) + torch.jit._wait(second)


class ForkedModules(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        futures = [torch.jit._fork(self.inner, x) for _ in range(2)]
        return torch.stack([torch.jit._wait(future) for future in futures]).sum(0)


class NoGrad(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = x * 2
        with torch.autograd.profiler.record_function("part") as record:
            x = x + 1
        return x


class Exports(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Plain()

    @torch.jit.export
    def encode(self, x: Tensor, times: int = 2) -> Tensor:
        return self.inner(x) * times

    @torch.jit.export
    def from_file(self, x: Tensor) -> Tensor:
        return self.encode(x, 3)

    @torch.jit.ignore
    def never(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.unused
    def unused(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self.unused(x)
        return self.from_file(x)


class States(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value = 3

    @torch.jit.export
    def __getstate__(self) -> Tuple[int, bool]:
        return self.value, self.training

    @torch.jit.export
    def __setstate__(self, state: Tuple[int, bool]) -> None:
        self.value = state[0] + 1
        self.training = state[1]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.value


class Counter:
    def __init__(self, start: int):
        self.count = start
        self.names: Dict[str, int] = {}

    def next(self, step: int = 1) -> int:
        self.count += step
        self.names[str(self.count)] = step
        return self.count

    def __add__(self, other: int) -> int:
        return self.count + other

    def __len__(self) -> int:
        return len(self.names)


class Node:
    def __init__(self, value: Tensor, children: List[int]):
        self.value = value
        self.children = children


try:
    Counter = torch.jit.script(Counter)  # type: ignore[misc]
    Node = torch.jit.script(Node)  # type: ignore[misc]
except Exception:
    pass


class Classes(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tensor, int]:
        counter = Counter(1)
        counter.next()
        nodes = [Node(x, [1, 2]), Node(x + 1, [3])]
        table = {"a": nodes[0]}
        table["a"].children.append(counter.next(2))
        nodes.append(table["a"])
        pair = (nodes[0], counter)
        total = pair[0].value
        for node in nodes:
            total = total + node.value * len(node.children)
        return total, pair[1] + len(counter)


try:

    @torch.jit.interface
    class Layer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            pass

except Exception:
    Layer = nn.Module  # type: ignore[assignment, misc]


class Interfaces(nn.Module):
    layer: Layer

    def __init__(self) -> None:
        super().__init__()
        self.layer = Plain()
        self.layers = nn.ModuleList([Plain(), nn.Linear(4, 4), nn.ReLU()])

    def forward(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(self.layers):
            x = layer(x) + index
        return self.layer(x)


class Indexed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Plain(), Plain()])

    def forward(self, x: Tensor, index: int = 0) -> Tensor:
        layer: Layer = self.layers[index]
        return layer.forward(x)


class Hooks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1


def _hook(self: Hooks, given: Tuple[Tensor], result: Tensor) -> Tensor:
    return result * 2


def _pre_hook(self: Hooks, given: Tuple[Tensor]) -> Tuple[Tensor]:
    return (given[0] + 1,)


def hooked() -> nn.Module:
    module = Hooks()
    module.register_forward_hook(_hook)
    module.register_forward_pre_hook(_pre_hook)
    return nn.Sequential(module, nn.Linear(4, 4))


class Constants(nn.Module):
    __constants__ = ["many", "word", "sizes"]

    def __init__(self) -> None:
        super().__init__()
        self.many = list(range(500))
        self.word = "ä\n"
        self.sizes = (1, 2.5, "x", True, None)

    def forward(self, x: Tensor) -> Tuple[Tensor, List[int], str]:
        return x + self.sizes[0], self.many, self.word


class LongFunction(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        for _ in range(400):
            x = torch.tanh(x * 0.5 + 0.1)
        return x


class Properties(nn.Module):
    @property
    def doubled(self) -> int:
        return 4

    def forward(self, x: Tensor) -> Tensor:
        return x * self.doubled


class Sorting(nn.Module):
    def forward(self, x: Tensor) -> Tuple[List[int], int, float, bool]:
        values = [3, 1, 2]
        values.sort()
        values.reverse()
        values.insert(0, 4)
        popped = values.pop()
        values.extend([5, 6])
        return sorted(values), min(values) + max(1, 2) + abs(-popped), round(1.5), any([True]) and all([False])


class Casts(nn.Module):
    def forward(self, x: Tensor) -> Tuple[int, float, bool, str, int]:
        total = x.sum()
        return int(total), float(total), bool(total > 0), str(1.5), ord("a") + int("3") + int(2.5)


class Prints(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        print("shape", x.shape, 1, None)
        return x


class AnyTypes(nn.Module):
    def forward(self, x: Tensor) -> Tuple[bool, bool]:
        value: Any = x.size(0)
        return isinstance(value, int), isinstance(value, (str, float))


class Nested(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tuple[int, Tuple[Tensor, List[Tuple[str, int]]]], Dict[str, List[Tensor]]]:
        return (1, (x, [("a", 1), ("b", 2)])), {"a": [x, x], "b": []}


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 4)

    def forward(self, x: Tensor, state: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        if state is None:
            state = torch.zeros(x.size(0), 4)
        outputs: List[Tensor] = []
        for step in range(3):
            state = self.cell(x, state)
            outputs.append(state)
        return torch.stack(outputs), state


class Spectrum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(16))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(1, -1).repeat(1, 8)
        frames = torch.stft(rows, 16, 4, 16, self.window, return_complex=True)
        return torch.istft(frames, 16, 4, 16, self.window, length=rows.size(1))


class Padded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.pad(x.unsqueeze(0), [1, 1], "reflect").squeeze(0)
        z = nn.functional.interpolate(y.unsqueeze(0), scale_factor=2.0, mode="linear", align_corners=False)
        return nn.functional.softmax(z, -1) + torch.einsum("ij,ik->jk", x, x).sum()


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first
        self.tied = nn.Parameter(self.first.weight.detach()[:2])

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + self.tied.sum()


class Halves(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for dtype in (torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64):
            self.register_buffer(str(dtype)[6:], torch.zeros(3, dtype=dtype))
        self.register_buffer("empty", torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.float64.float().sum()


X = torch.arange(12.0).reshape(3, 4) / 12
WAVE = torch.arange(64.0).reshape(1, 4, 16) / 64
IMAGE = torch.arange(256.0).reshape(1, 4, 8, 8) / 256
OWN = [
    value
    for value in list(globals().values())
    if isinstance(value, type) and issubclass(value, nn.Module) and value is not Layer
]
LAYERS = {
    "linear": lambda: nn.Linear(4, 2), "bilinear": lambda: nn.Bilinear(4, 4, 2), "sequential": lambda: nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.LayerNorm(8), nn.Linear(8, 2), nn.Softmax(-1)),
    **{name.lower(): (lambda name=name: getattr(nn, name)()) for name in (
        "ReLU", "ReLU6", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Hardtanh", "Hardswish", "Hardsigmoid", "Tanh",
        "Sigmoid", "LogSigmoid", "Softplus", "Softshrink", "Softsign", "Tanhshrink", "LeakyReLU", "PReLU", "RReLU",
        "Identity", "Flatten", "Dropout", "AlphaDropout", "GLU")},
    "layernorm": lambda: nn.LayerNorm(4), "embedding-bag": lambda: nn.Sequential(nn.Linear(4, 4)),
    "threshold": lambda: nn.Threshold(0.1, 20), "lstm": lambda: nn.LSTM(4, 4, 2, bidirectional=True, batch_first=True),
    "gru": lambda: nn.GRU(4, 4), "rnn": lambda: nn.RNN(4, 4), "cosine": lambda: nn.CosineSimilarity(),
    "unfold": lambda: nn.Sequential(nn.Unflatten(1, (2, 2))), "hooked": hooked,
    "weight-norm": lambda: nn.utils.weight_norm(nn.Linear(4, 4)),
    "encoder": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 1),
    "attention": lambda: nn.MultiheadAttention(4, 2), "list": lambda: Interfaces(), "quantized-dynamic": lambda:
    torch.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), {nn.Linear}),
    "quantized-lstm": lambda: torch.quantization.quantize_dynamic(nn.Sequential(nn.LSTM(4, 4)), {nn.LSTM}),
    "half": lambda: nn.Linear(4, 4).half(), "double": lambda: nn.Linear(4, 4).double(),
}  # fmt: skip
WAVES = {
    "conv1d": lambda: nn.Conv1d(4, 2, 3), "conv1d-reflect": lambda: nn.Conv1d(4, 2, 3, padding=1, padding_mode="reflect"),
    "conv1d-same": lambda: nn.Conv1d(4, 2, 3, padding="same"), "deconv1d": lambda: nn.ConvTranspose1d(4, 2, 3, 2),
    "batchnorm1d": lambda: nn.BatchNorm1d(4), "instancenorm1d": lambda: nn.InstanceNorm1d(4, affine=True),
    "groupnorm": lambda: nn.GroupNorm(2, 4), "maxpool1d": lambda: nn.MaxPool1d(2), "avgpool1d": lambda: nn.AvgPool1d(2),
    "adaptive1d": lambda: nn.AdaptiveAvgPool1d(3), "upsample": lambda: nn.Upsample(scale_factor=2.0, mode="linear"),
    "pad": lambda: nn.ReflectionPad1d(2), "constantpad": lambda: nn.ConstantPad1d(2, 0.5), "lppool": lambda:
    nn.LPPool1d(2, 2), "localresponse": lambda: nn.LocalResponseNorm(2), "lazy": lambda: nn.LazyConv1d(2, 3),
    "convnet": lambda: nn.Sequential(nn.Conv1d(4, 8, 3), nn.BatchNorm1d(8), nn.PReLU(), nn.ConvTranspose1d(8, 4, 3)),
}  # fmt: skip
IMAGES = {
    "conv2d": lambda: nn.Conv2d(4, 2, 3, groups=2), "deconv2d": lambda: nn.ConvTranspose2d(4, 2, 3),
    "batchnorm2d": lambda: nn.BatchNorm2d(4), "maxpool2d": lambda: nn.MaxPool2d(2), "upsample2d": lambda:
    nn.Upsample(size=(16, 16), mode="bilinear", align_corners=True), "shuffle": lambda: nn.PixelShuffle(2),
    "fold": lambda: nn.Unfold((2, 2)), "dropout2d": lambda: nn.Dropout2d(), "lppool2d": lambda: nn.LPPool2d(2, 2),
    "adaptive2d": lambda: nn.AdaptiveMaxPool2d((2, 2)), "zeropad": lambda: nn.ZeroPad2d(1),
}  # fmt: skip


class Writer:
    """Saves what it can; ``missing`` names what this PyTorch could not export."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0
        self.missing: List[str] = []

    def save(self, name: str, make: Any, how: str = "save", **options: Any) -> None:
        path = self.folder / f"{name}.pt"
        try:
            getattr(make(), how)(str(path), **options)
            self.written += 1
        except Exception as error:
            self.missing.append(f"{name}: {str(error).strip()[:100]!r}")

    def module(self, name: str, make: Any, given: Tuple[Any, ...], everything: bool) -> None:
        self.save(f"{name}-scripted", lambda: torch.jit.script(make().eval()))
        if everything:
            self.save(f"{name}-traced", lambda: torch.jit.trace(make().eval(), given, check_trace=False))
            self.save(f"{name}-frozen", lambda: torch.jit.freeze(torch.jit.script(make().eval())))
            self.save(f"{name}-mobile", lambda: torch.jit.script(make()), "_save_for_lite_interpreter")
            extra = {"notes.txt": "a", "deep/er.json": "{}"}
            self.save(f"{name}-extra", lambda: torch.jit.script(make().train()), _extra_files=extra)


def buffered(folder: Path) -> None:
    """An archive that was saved to memory, whose folder has another name."""
    memory = io.BytesIO()
    torch.jit.save(torch.jit.script(Plain()), memory)
    (folder / "saved-to-memory.pt").write_bytes(memory.getvalue())


def write(folder: Path, everything: bool = True) -> Writer:
    """Write the corpus; with ``everything`` also traced, frozen, mobile ones and ones with extra files."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(folder)
    for kind in OWN:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()
        writer.module(f"own-{name}", kind, (X,), everything)
    for layers, given in ((LAYERS, X), (WAVES, WAVE), (IMAGES, IMAGE)):
        for name, make in layers.items():
            writer.module(f"layer-{name}", make, (given,), everything)
    buffered(folder)
    return writer


if __name__ == "__main__":
    done = write(Path(sys.argv[1]))
    print(f"PyTorch {torch.__version__}: {done.written + 1} archives, {len(done.missing)} could not be exported")
    print("\n".join(done.missing), file=sys.stderr)
