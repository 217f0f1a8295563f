"""Exports published architectures with seeded weights, as :mod:`tests.backport.exports` does its small programs.

    PYTHON -m tests.backport.architectures FOLDER [NAME…]

PYTHON has a newer PyTorch and whatever of asteroid, demucs, encodec, julius, nnAudio, openunmix, speechbrain,
torchaudio, transformers and vocos is to be exported; what can't be imported or exported is said and left out.
"""

from __future__ import annotations

import importlib.machinery
import json
import sys
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple
from unittest.mock import MagicMock

import torch
from torch import nn

from tests.backport.outputs import flat
from tests.backport.signals import tensor

#: Packages that the models' own import, and that no model needs to run.
_NOT_NEEDED = ("librosa", "audiotools", "soundfile", "pesq", "pb_bss_eval", "torch_stoi", "wandb", "matplotlib")
Made = Tuple[Any, Sequence[int]]


class _Absent:
    """Finds the packages that are not needed and not there; a mock stands in for each."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] in _NOT_NEEDED:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> Any:
        module = MagicMock(name=spec.name)
        module.__spec__, module.__path__, module.__name__ = spec, [], spec.name
        return module

    def exec_module(self, module: Any) -> None:
        pass


class First(nn.Module):
    """The first of what a model gives, for models that give lists or values of classes."""

    def __init__(self, inner: nn.Module, name: str = "") -> None:
        super().__init__()
        self.inner = inner
        self.name = name

    def forward(self, x: torch.Tensor) -> Any:
        y = self.inner(x)
        return getattr(y, self.name) if self.name else y[0] if isinstance(y, (tuple, list)) else y


class Calls(nn.Module):
    """A model by way of a function."""

    def __init__(self, inner: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.inner = inner
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self.inner, x)


def _torchaudio() -> Dict[str, Callable[[], Made]]:
    def models() -> Any:
        import torchaudio.models

        return torchaudio.models

    def transforms() -> Any:
        import torchaudio.transforms

        return torchaudio.transforms

    return {
        "torchaudio-conv-tasnet": lambda: (
            models().ConvTasNet(
                num_sources=2,
                enc_num_feats=32,
                msk_num_feats=16,
                msk_num_hidden_feats=32,
                msk_num_layers=3,
                msk_num_stacks=2,
            ),
            [1, 1, 4000],
        ),
        "torchaudio-hdemucs": lambda: (
            models().HDemucs(["a", "b"], audio_channels=2, channels=8, nfft=1024, depth=4),
            [1, 2, 16384],
        ),
        "torchaudio-wav2letter": lambda: (models().Wav2Letter(num_classes=10, input_type="waveform"), [1, 1, 8000]),
        "torchaudio-deepspeech": lambda: (models().DeepSpeech(40, n_hidden=32, n_class=10), [1, 1, 20, 40]),
        "torchaudio-conformer": lambda: (
            Calls(models().Conformer(32, 4, 64, 2, 7), lambda m, x: m(x, torch.tensor([20]))[0]),
            [1, 20, 32],
        ),
        "torchaudio-emformer": lambda: (
            Calls(models().Emformer(32, 4, 64, 2, 4), lambda m, x: m(x, torch.tensor([16]))[0]),
            [1, 16, 32],
        ),
        "torchaudio-squim": lambda: (models().squim_objective_base(), [1, 8000]),
        "torchaudio-mel": lambda: (
            nn.Sequential(transforms().MelSpectrogram(16000, 512, n_mels=40), transforms().AmplitudeToDB()),
            [2, 8000],
        ),
        "torchaudio-mfcc": lambda: (transforms().MFCC(16000, 20), [2, 8000]),
        "torchaudio-griffin-lim": lambda: (transforms().GriffinLim(256, n_iter=4, rand_init=False), [2, 129, 20]),
        "torchaudio-resample": lambda: (transforms().Resample(44100, 16000), [2, 8000]),
        "torchaudio-spectral-centroid": lambda: (transforms().SpectralCentroid(16000), [2, 8000]),
        "torchaudio-inverse-spectrogram": lambda: (
            Calls(
                nn.ModuleList([transforms().Spectrogram(512, power=None), transforms().InverseSpectrogram(512)]),
                lambda m, x: m[1](m[0](x), 8000),
            ),
            [2, 8000],
        ),
        "torchaudio-lfcc": lambda: (transforms().LFCC(16000), [2, 8000]),
        "torchaudio-cmvn": lambda: (transforms().SlidingWindowCmn(), [1, 60, 20]),
    }


def _asteroid() -> Dict[str, Callable[[], Made]]:
    def models() -> Any:
        import asteroid.models

        return asteroid.models

    return {
        "asteroid-conv-tasnet": lambda: (
            models().ConvTasNet(2, n_filters=32, n_blocks=3, n_repeats=2, bn_chan=16, hid_chan=32),
            [1, 4000],
        ),
        "asteroid-dprnn": lambda: (
            models().DPRNNTasNet(2, n_filters=16, bn_chan=16, hid_size=16, chunk_size=20, n_repeats=2),
            [1, 2000],
        ),
        "asteroid-dptnet": lambda: (models().DPTNet(2, n_filters=16, ff_hid=16, chunk_size=20, n_repeats=1), [1, 2000]),
        "asteroid-sudormrf": lambda: (
            models().SuDORMRFNet(2, bn_chan=16, num_blocks=2, upsampling_depth=3, n_filters=32),
            [1, 4000],
        ),
        "asteroid-sudormrf-improved": lambda: (
            models().SuDORMRFImprovedNet(2, bn_chan=16, num_blocks=2, upsampling_depth=3, n_filters=32),
            [1, 4000],
        ),
        "asteroid-demask": lambda: (models().DeMask(hidden_dims=(32,)), [1, 4000]),
        "asteroid-lstm-tasnet": lambda: (models().LSTMTasNet(2, n_filters=32, hid_size=16, n_layers=1), [1, 2000]),
    }


def _demucs() -> Dict[str, Callable[[], Made]]:
    def demucs() -> Any:
        import demucs.demucs
        import demucs.hdemucs
        import demucs.htdemucs

        return demucs

    return {
        "demucs": lambda: (demucs().demucs.Demucs(["a", "b"], channels=8, depth=3), [1, 2, 44100]),
        "hdemucs": lambda: (demucs().hdemucs.HDemucs(["a", "b"], channels=8, depth=4, nfft=1024), [1, 2, 16384]),
        "htdemucs": lambda: (
            demucs().htdemucs.HTDemucs(
                ["a", "b"],
                channels=8,
                depth=4,
                nfft=4096,
                t_layers=2,
                t_heads=4,
                bottom_channels=64,
                segment=1,
                samplerate=16000,
            ),
            [1, 2, 16000],
        ),
    }


def _codecs() -> Dict[str, Callable[[], Made]]:
    def encodec() -> Any:
        from encodec import EncodecModel

        return EncodecModel.encodec_model_24khz(pretrained=False)

    def vocos(parts: str) -> Any:
        import vocos.heads
        import vocos.models

        backbone = vocos.models.VocosBackbone(40, 32, 64, 2)
        head = vocos.heads.ISTFTHead(32, 256, 64, padding=parts)
        return nn.Sequential(backbone, head)

    return {
        "encodec": lambda: (encodec(), [1, 1, 4800]),
        "encodec-decoder": lambda: (encodec().decoder, [1, 128, 20]),
        "encodec-encoder": lambda: (encodec().encoder, [1, 1, 4800]),
        "vocos-centre": lambda: (vocos("center"), [1, 40, 20]),
        "vocos-same": lambda: (vocos("same"), [1, 40, 20]),
    }


def _openunmix() -> Dict[str, Callable[[], Made]]:
    def model() -> Any:
        import openunmix.model

        return openunmix.model

    def separator() -> Any:
        made = {name: model().OpenUnmix(513, 2, 32) for name in ("a", "b")}
        return model().Separator(made, niter=1, n_fft=1024, n_hop=256)

    def filters() -> Any:
        import openunmix.transforms

        return openunmix.transforms

    return {
        "openunmix": lambda: (model().OpenUnmix(513, 2, 32), [1, 2, 513, 20]),
        "openunmix-separator": lambda: (separator(), [1, 2, 8192]),
        "openunmix-stft": lambda: (filters().TorchSTFT(1024, 256), [1, 2, 8192]),
    }


def _frontends() -> Dict[str, Callable[[], Made]]:
    def nnaudio() -> Any:
        import nnAudio.features

        return nnAudio.features

    def julius() -> Any:
        import julius

        return julius

    return {
        "nnaudio-stft": lambda: (
            nnaudio().STFT(512, hop_length=128, verbose=False, output_format="Magnitude"),
            [2, 8000],
        ),
        "nnaudio-cqt": lambda: (
            nnaudio().CQT1992v2(16000, hop_length=256, fmin=110, n_bins=36, verbose=False),
            [2, 8000],
        ),
        "nnaudio-cqt2010": lambda: (
            nnaudio().CQT2010v2(16000, hop_length=256, fmin=110, n_bins=36, verbose=False),
            [2, 16000],
        ),
        "nnaudio-gammatone": lambda: (nnaudio().Gammatonegram(16000, 512, 16, 128, verbose=False), [2, 8000]),
        "nnaudio-vqt": lambda: (nnaudio().VQT(16000, hop_length=256, fmin=110, n_bins=36, verbose=False), [2, 16000]),
        "julius-resample": lambda: (julius().ResampleFrac(441, 160), [2, 8000]),
        "julius-lowpass": lambda: (julius().LowPassFilter(0.1), [2, 4000]),
        "julius-bands": lambda: (julius().SplitBands(16000, 4), [2, 4000]),
        "julius-fft-convolution": lambda: (
            Calls(nn.Identity(), lambda _, x: julius().fft_conv1d(x, torch.ones(1, 1, 65))),
            [1, 1, 4000],
        ),
    }


def _speechbrain() -> Dict[str, Callable[[], Made]]:
    def lobes(name: str) -> Any:
        return importlib.import_module(f"speechbrain.lobes.models.{name}")

    def features() -> Any:
        import speechbrain.lobes.features

        return speechbrain.lobes.features

    def nnet(name: str) -> Any:
        return importlib.import_module(f"speechbrain.nnet.{name}")

    return {
        "speechbrain-ecapa": lambda: (
            lobes("ECAPA_TDNN").ECAPA_TDNN(
                40, channels=[32] * 4 + [96], kernel_sizes=[5, 3, 3, 3, 1], dilations=[1, 2, 3, 4, 1], lin_neurons=16
            ),
            [1, 30, 40],
        ),
        "speechbrain-xvector": lambda: (
            lobes("Xvector").Xvector(
                tdnn_channels=[32] * 5,
                tdnn_kernel_sizes=[5, 3, 3, 1, 1],
                tdnn_dilations=[1, 2, 3, 1, 1],
                lin_neurons=16,
                in_channels=40,
            ),
            [1, 40, 40],
        ),
        "speechbrain-crdnn": lambda: (
            lobes("CRDNN").CRDNN(
                input_shape=[None, None, 40], cnn_channels=(8, 8), rnn_neurons=16, rnn_layers=1, dnn_neurons=16
            ),
            [1, 40, 40],
        ),
        "speechbrain-hifigan": lambda: (
            lobes("HifiGAN").HifiganGenerator(40, 1, "1", [[1, 3, 5]], [3], [8, 8], 32, [4, 4]),
            [1, 40, 10],
        ),
        "speechbrain-dual-path": lambda: (Calls(lobes("dual_path").Encoder(16, 32), lambda m, x: m(x)), [1, 2000]),
        "speechbrain-fbank": lambda: (features().Fbank(n_mels=40), [1, 8000]),
        "speechbrain-mfcc": lambda: (features().MFCC(n_mfcc=20), [1, 8000]),
        "speechbrain-ligru": lambda: (First(nnet("RNN").LiGRU(16, input_shape=[None, None, 20])), [1, 20, 20]),
    }


def _transformers() -> Dict[str, Callable[[], Made]]:
    def made(model: str, config: str, **options: Any) -> Any:
        import transformers

        settings = getattr(transformers, config)(**options)
        settings._attn_implementation = options.get("attn", "eager")
        return getattr(transformers, model)(settings)

    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    convolutions = {
        "conv_dim": (32,) * 3,
        "conv_kernel": (10, 3, 3),
        "conv_stride": (5, 2, 2),
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    }
    return {
        "transformers-wav2vec2": lambda: (
            Calls(
                made("Wav2Vec2Model", "Wav2Vec2Config", **small, **convolutions),
                lambda m, x: m(x, return_dict=False)[0],
            ),
            [1, 4000],
        ),
        "transformers-hubert": lambda: (
            Calls(
                made("HubertModel", "HubertConfig", **small, **convolutions), lambda m, x: m(x, return_dict=False)[0]
            ),
            [1, 4000],
        ),
        "transformers-wavlm": lambda: (
            Calls(made("WavLMModel", "WavLMConfig", **small, **convolutions), lambda m, x: m(x, return_dict=False)[0]),
            [1, 4000],
        ),
        "transformers-ast": lambda: (
            Calls(
                made("ASTModel", "ASTConfig", **small, max_length=64, num_mel_bins=32),
                lambda m, x: m(x, return_dict=False)[0],
            ),
            [1, 64, 32],
        ),
        "transformers-whisper-encoder": lambda: (
            Calls(
                made(
                    "WhisperModel",
                    "WhisperConfig",
                    d_model=32,
                    encoder_layers=2,
                    decoder_layers=1,
                    encoder_attention_heads=4,
                    decoder_attention_heads=4,
                    encoder_ffn_dim=64,
                    decoder_ffn_dim=64,
                    max_source_positions=50,
                    num_mel_bins=16,
                    vocab_size=60000,
                ).get_encoder(),
                lambda m, x: m(x, return_dict=False)[0],
            ),
            [1, 16, 100],
        ),
        "transformers-encodec": lambda: (
            Calls(
                made(
                    "EncodecModel",
                    "EncodecConfig",
                    num_filters=4,
                    hidden_size=16,
                    codebook_size=16,
                    codebook_dim=16,
                    num_lstm_layers=1,
                ),
                lambda m, x: m.decoder(m.encoder(x)),
            ),
            [1, 1, 3200],
        ),
        "transformers-vits-flow": lambda: (
            Calls(
                made("SpeechT5HifiGan", "SpeechT5HifiGanConfig", model_in_dim=16, upsample_initial_channel=32),
                lambda m, x: m(x),
            ),
            [20, 16],
        ),
    }


def architectures() -> Dict[str, Callable[[], Made]]:
    """What makes each model and the shape of its input, by name."""
    families = (_torchaudio, _asteroid, _demucs, _codecs, _openunmix, _frontends, _speechbrain, _transformers)
    return {name: make for family in families for name, make in family().items()}


def export(name: str, folder: Path) -> Dict[str, Any]:
    """Write ``<name>.trace.pt`` and, where the model can be scripted, ``<name>.script.pt``."""
    torch.manual_seed(9)
    model, shape = architectures()[name]()
    model = model.eval()
    inputs = tensor(torch, shape, 1) * 0.3
    found: Dict[str, Any] = {}
    for way in ("script", "trace"):
        path = folder / f"{name}.{way}.pt"
        try:
            with torch.no_grad():
                made = torch.jit.script(model) if way == "script" else torch.jit.trace(model, inputs, check_trace=False)
                torch.jit.save(made, str(path))
                torch.manual_seed(9)
                outputs = flat(torch, torch.jit.load(str(path))(tensor(torch, shape, 0)))
        except Exception as error:
            lines = str(error).strip().splitlines() or [repr(error)]
            print(f"{name}.{way}: {lines[0][:140]}", flush=True)
            path.unlink(missing_ok=True)
            continue
        found[f"{name}.{way}"] = {"inputs": [[list(shape)]], "outputs": [outputs], "tolerance": 1e-3}
    return found


def main(folder: Path, names: List[str]) -> None:
    """Export the architectures of these names, or all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    sys.meta_path.append(_Absent())  # type: ignore[arg-type]
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    expected: Dict[str, Any] = {}
    for name in architectures():
        if not names or name in names:
            try:
                expected.update(export(name, folder))
            except Exception as error:
                print(f"{name}: {error!r}"[:200], flush=True)
    text = json.dumps({"torch": torch.__version__, "archives": expected})
    (folder / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
