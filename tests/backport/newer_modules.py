"""Modules that use what came after Torch 1.9.0; only :mod:`tests.backport.make_fixtures` imports this."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class Pads(nn.Module):
    def forward(self, x: Tensor):  # (1, 2, 5)
        flat = x[0]
        image = x.reshape(1, 1, 2, 5)
        volume = x.reshape(1, 1, 1, 2, 5)
        return (
            F.pad(x, (1, 2)),
            F.pad(x, (-1, 2), value=0.5),
            F.pad(x, (3, 4), "reflect"),
            F.pad(flat, (3, 4), "reflect"),
            F.pad(x, (7, 1), "replicate"),
            F.pad(x, (4, 5), "circular"),
            F.pad(x, (-2, 1), "circular"),
            F.pad(image, (2, 1, 1, 1), "reflect"),
            F.pad(image[0], (2, 1, 1, 1), "replicate"),
            F.pad(image, (2, 1, 1, 2), "circular"),
            F.pad(volume, (1, 1, 1, 1, 1, 1), "replicate"),
            F.pad(volume, (0, 3, 1, 0, 1, 1), "circular"),
        )


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.size(0) == 0:
            raise ValueError("nothing to hear")
        assert x.dim() == 2, "channels and samples"
        return x * 0.5


class TracedMelFrontEnd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(16))
        self.register_buffer("filters", torch.rand(9, 4))

    def forward(self, x: Tensor):
        power = torch.stft(x, 16, 8, window=self.window, return_complex=True).abs() ** 2
        return torch.log(power.transpose(1, 2) @ self.filters + 1e-3)


class MelFrontEnd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(16))
        self.register_buffer("filters", torch.rand(9, 4))

    def forward(self, x: Tensor):
        spectrum = torch.stft(x, 16, 8, window=self.window, return_complex=True)
        power = spectrum.abs().pow(2)
        mel = torch.log10(torch.clamp(torch.einsum("bft,fm->bmt", power, self.filters), min=1e-5))
        mel = torch.maximum(mel, mel.amax(dim=(-2, -1), keepdim=True) - 8.0)
        mel = (mel - mel.mean(dim=(1, 2), keepdim=True)) / (mel.std(dim=(1, 2), keepdim=True) + 1e-5)
        frames = torch.stft(x, 16, 8, 12, torch.hann_window(12), center=False, return_complex=True)
        back = torch.istft(spectrum, 16, 8, window=self.window, length=x.size(-1))
        direct = x.stft(16, 8, window=self.window, center=True, pad_mode="constant", return_complex=True)
        single = x[0].stft(16, 8, window=self.window, center=True, return_complex=True)
        return mel, torch.view_as_real(frames), back, torch.view_as_real(direct), torch.view_as_real(single)


class Attention(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor):
        keep = q @ k.transpose(-2, -1) > -0.5
        none = torch.zeros(q.size(-2), k.size(-2), dtype=torch.bool)
        return (
            F.scaled_dot_product_attention(q, k, v),
            F.scaled_dot_product_attention(q, k, v, is_causal=True),
            F.scaled_dot_product_attention(q, k, v, attn_mask=keep),
            F.scaled_dot_product_attention(q, k, v, attn_mask=none),
            F.scaled_dot_product_attention(q, k, v, attn_mask=q @ k.transpose(-2, -1), scale=0.3),
            F.scaled_dot_product_attention(q, k[:, :1], v[:, :1], enable_gqa=True),
        )


class MultiHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor):
        hidden = mask > 0.7
        plain, weights = self.attention(x, x, x)
        masked, _ = self.attention(x, x, x, attn_mask=torch.tensor([[False, True, True]] + 2 * [3 * [False]]))
        padded, each = self.attention(x, x, x, key_padding_mask=hidden, average_attn_weights=False)
        both, _ = self.attention(x, x, x, key_padding_mask=hidden, attn_mask=torch.eye(3), need_weights=True)
        return plain, weights, masked, padded, each, both


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True)
        self.first = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.rest = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.nested = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)

    def forward(self, x: Tensor, mask: Tensor):
        gap = torch.tensor([[False, True, False], [True, False, False]])
        padded = self.first(x, src_key_padding_mask=mask > 0.7)
        return self.rest(self.first(x)), padded, self.nested(x), self.nested(x, src_key_padding_mask=gap)


class TracedEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor, mask: Tensor):
        return self.encoder(x), self.encoder(x, src_key_padding_mask=mask > 0.7)


class Activations(nn.Module):
    def forward(self, x: Tensor):
        return F.gelu(x), F.gelu(x, approximate="tanh"), F.mish(x), F.silu(x), F.hardswish(x)


class Interpolates(nn.Module):
    def forward(self, x: Tensor):
        image = x[None]
        return (
            F.interpolate(x, scale_factor=1.7, mode="nearest-exact"),
            F.interpolate(x, size=4, mode="nearest-exact"),
            F.interpolate(image, size=[5, 3], mode="nearest-exact"),
            F.interpolate(image[None], scale_factor=[2.0, 1.5, 0.6], mode="nearest-exact"),
            F.interpolate(x, scale_factor=1.7, mode="linear"),
            F.interpolate(x, size=4, mode="nearest"),
            F.interpolate(image, scale_factor=2.0, mode="bicubic"),
        )


class SmallOnes(nn.Module):
    def forward(self, x: Tensor):
        low, high = torch.aminmax(x)
        lows, highs = torch.aminmax(x, dim=1, keepdim=True)
        least, most = torch.aminmax(x, keepdim=True)
        return (
            x.mT, x.mH, x.adjoint(), low, high, lows, highs, least, most,
            torch.argwhere(x > 0), torch.isin(x, x[0]), torch.isin(x, x[0], invert=True),
            torch.round(x * 100, decimals=1), torch.round(x * 100, decimals=-1),
            torch.concat([x, x]), torch.concatenate([x, x], dim=1),
            x[None, :, None].squeeze([0, -2]), x[None, :, None].squeeze([0, 1]), x.new_ones([2, 2]),
            torch.special.softmax(x, 1), torch.special.log_softmax(x, 1), torch.special.logsumexp(x, [1]),
            torch.linalg.matmul(x, x.t()), torch.arctan2(x, x + 1), torch.trapezoid(x),
            torch.linalg.vector_norm(x), F.rms_norm(x, [x.size(1)]),
        )  # fmt: skip


class NewArguments(nn.Module):
    def forward(self, x: Tensor):
        rows, columns = torch.meshgrid([x[0], x[1]], indexing="ij")
        return (
            rows, columns,
            torch.quantile(x, 0.3, interpolation="linear"), torch.nanquantile(x, 0.3, interpolation="linear"),
            torch.repeat_interleave(x, 2, 1, output_size=2 * 3),
            torch.index_add(x, 0, torch.tensor([0, 1]), x, alpha=1),
            torch.searchsorted(torch.sort(x[0])[0], x, side=None),
            F.gelu(x, approximate="none"),
        )  # fmt: skip


class Divides(nn.Module):
    def forward(self, x: Tensor):
        counted = torch.floor(x * 10).to(torch.int64)
        return counted // 3, torch.floor_divide(x, 0.3), x // 0.25, torch.div(counted, 4), torch.full([2], 3)


class Chooses(nn.Module):
    def forward(self, x: Tensor):
        loud = x > 0
        counts = torch.arange(x.size(-1))
        wide = torch.view_as_complex(torch.stack([x, x * 2], -1)).conj()
        spectrum = torch.stft(x, 4, 2, window=torch.ones(4), center=False, return_complex=True)
        return (
            torch.where(loud, x, 0.0), torch.where(loud, 1, x), torch.where(loud, x, counts),
            torch.where(loud, counts, 2.5), torch.where(loud, x, x.double()), torch.where(loud, 1, 0),
            torch.view_as_real(wide.resolve_conj().resolve_neg()), torch.view_as_real(torch.conj_physical(wide)),
            torch.istft(spectrum, 4, 2, window=torch.ones(4), center=False),
            torch.istft(spectrum, 4, 2, window=torch.ones(4), center=False, length=6),
        )  # fmt: skip


class Windows(nn.Module):
    def forward(self, x: Tensor):
        n = x.size(-1)
        return (
            torch.hann_window(n), torch.hann_window(n, periodic=False), torch.hamming_window(n),
            torch.blackman_window(n), torch.bartlett_window(n), torch.kaiser_window(n), torch.linspace(0.0, 1.0, 4),
        )  # fmt: skip


class Asks(nn.Module):
    def gain(self, value: int | float | str) -> float:
        if isinstance(value, int):
            return value * 2.0
        if isinstance(value, str):
            return 0.5
        return value

    def power(self, x: Tensor, value: int | float) -> Tensor:
        if isinstance(value, int):
            return x ** (value + 1)
        return x.abs() ** value

    def forward(self, x: Tensor):
        pooled = F.lp_pool1d(x[None].abs(), 2.0, 2)
        norms = torch.norm(x, dim=1), torch.norm(x, p=2.0, dim=[0, 1]), torch.norm(x)
        return x * self.gain(3), x * self.gain(0.25), x * self.gain("half"), self.power(x, 2), pooled, norms


class Separator(nn.Module):
    """An encoder, dilated blocks and masks, as ConvTasNet has them. Parametrizations can be traced only."""

    def __init__(self, parametrized: bool) -> None:
        super().__init__()
        self.encoder = nn.Conv1d(1, 8, 8, 4, bias=False)
        convolution = nn.Conv1d(8, 8, 3, padding="same", dilation=2)
        self.blocks = nn.Sequential(
            nn.GroupNorm(1, 8), weight_norm(convolution) if parametrized else convolution, nn.PReLU(),
            nn.Conv1d(8, 16, 3, padding=1, padding_mode="reflect"), nn.SiLU(), nn.BatchNorm1d(16),
        )  # fmt: skip
        self.memory = nn.GRU(16, 4, batch_first=True, bidirectional=True)
        self.decoder = nn.ConvTranspose1d(8, 1, 8, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        encoded = F.relu(self.encoder(F.pad(x[:, None], (4, 4))))
        masks = torch.sigmoid(self.memory(self.blocks(encoded).mT)[0].mT)
        return self.decoder(encoded * masks)[:, 0, 4 : 4 + x.size(-1)]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4, 2, bidirectional=True)
        self.norm = nn.RMSNorm(8, eps=1e-6)

    def forward(self, x: Tensor):
        y, (h, c) = self.lstm(x)
        return self.norm(y), h, c


X = [2, 3]
#: Name: what makes the module, whether it is traced, and for each case the shapes of its inputs.
MODELS = {
    "pads": (Pads, False, [[1, 2, 5]]),
    "pads-traced": (Pads, True, [[1, 2, 5]]),
    "raises": (Raises, False, [X]),
    "mel-front-end": (MelFrontEnd, False, [[1, 64]], [[2, 40]]),
    "mel-front-end-traced": (TracedMelFrontEnd, True, [[1, 64]]),
    "attention": (Attention, False, [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4]]),
    "attention-traced": (Attention, True, [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4]]),
    "multi-head": (MultiHead, False, [[2, 3, 8], [2, 3]]),
    "encoder": (Encoder, False, [[2, 3, 8], [2, 3]]),
    "encoder-traced": (TracedEncoder, True, [[2, 3, 8], [2, 3]]),
    "activations": (Activations, False, [[2, 9]]),
    "interpolates": (Interpolates, False, [[1, 2, 7]]),
    "small-ones": (SmallOnes, False, [X]),
    "new-arguments": (NewArguments, False, [X]),
    "divides": (Divides, False, [[2, 9]]),
    "chooses": (Chooses, False, [[2, 8]]),
    "chooses-traced": (Chooses, True, [[2, 8]]),
    "windows": (Windows, False, [[1, 5]]),
    "asks": (Asks, False, [X]),
    "separator": (lambda: Separator(False), False, [[1, 64]], [[2, 40]]),
    "separator-traced": (lambda: Separator(True), True, [[1, 64]]),
    "recurrent": (Recurrent, False, [[3, 2, 4]]),
}
