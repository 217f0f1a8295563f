"""Export asteroid-convtasnet, a ConvTasNet that separates two speakers: model.pt, metadata.json and README.md.

    python export.py [--output FOLDER] [--weights auto|hub|seeded]

The specification's example exports a model that was trained with Asteroid. Asteroid itself needs more than Torch 1.9.0
brings, so its weights are put into torchaudio's network here, which is the same one. ``hub`` takes the trained weights
from the HuggingFace Hub, ``seeded`` makes a small network of random weights that shows the export and separates
nothing, and ``auto`` (the default) takes the trained ones where the Hub can be reached. Metadata and README.md say
which ones model.pt holds.
"""

import argparse
import io
import pickle
import re
import sys
import types
import zipfile
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional

import torch
from torchaudio.models import ConvTasNet
from torchaudio.models.conv_tasnet import MaskGenerator

from audacitorch import WaveformToWaveformBase
from audacitorch.utils import save_model, test_run, validate_metadata

SAMPLE_RATE = 16000
SOURCES = 2
HUB_REPO = "JorisCos/ConvTasNet_Libri2Mix_sepclean_16k"
SEED = 20210601
#: Asteroid's arguments for the network, in its own words; these are the small network's.
SMALL = {
    "n_src": SOURCES,
    "kernel_size": 32,
    "stride": 16,
    "n_filters": 128,
    "bn_chan": 32,
    "hid_chan": 64,
    "skip_chan": 32,
    "n_blocks": 5,
    "n_repeats": 2,
    "conv_kernel_size": 3,
}
#: Arguments that torchaudio's network has no choice of.
FIXED = {"fb_name": "free", "norm_type": "gLN", "causal": False, "encoder_activation": None}
#: Where torchaudio keeps what Asteroid calls so.
NAMES = (
    (r"encoder\.(?:filterbank\.)?_filters", "encoder.weight"),
    (r"decoder\.(?:filterbank\.)?_filters", "decoder.weight"),
    (r"masker\.bottleneck\.0\.", "mask_generator.input_norm."),
    (r"masker\.bottleneck\.1\.", "mask_generator.input_conv."),
    (r"masker\.TCN\.(\d+)\.shared_block\.", r"mask_generator.conv_layers.\1.conv_layers."),
    (r"masker\.TCN\.(\d+)\.res_conv\.", r"mask_generator.conv_layers.\1.res_out."),
    (r"masker\.TCN\.(\d+)\.skip_conv\.", r"mask_generator.conv_layers.\1.skip_out."),
    (r"masker\.mask_net\.0\.", "mask_generator.output_prelu."),
    (r"masker\.mask_net\.1\.", "mask_generator.output_conv."),
)
TRAINED = (
    "ConvTasNet, trained by Joris Cosentino with Asteroid on LibriMix, separates two people who speak at once into two "
    "tracks. Each block is separated on its own: the speakers may change tracks in between."
)
SEEDED = (
    "A small ConvTasNet for two speakers with random weights, made from a fixed seed: it runs, and separates nothing. "
    "Its export script puts trained weights from Asteroid in their place where the HuggingFace Hub can be reached."
)
CARD = f"""---
tags:
- audacity
- audio-source-separation
license: {{licence}}
---

# asteroid-convtasnet

ConvTasNet for two speakers, as in audacitorch's specification.

{{weights}}

`python export.py` makes model.pt, metadata.json and this file again. It takes weights that were trained with
[Asteroid](https://github.com/asteroid-team/asteroid) from the HuggingFace Hub
(`{HUB_REPO}`, CC BY-SA 4.0) where it can be reached, and makes a small network
with seeded weights where it can't. `--weights hub` insists on trained ones, `--weights seeded` on seeded ones.

The network is torchaudio 0.9.0's, which needs no operator beyond Torch 1.9.0's own. Every block is separated on its
own, so the two speakers may change tracks from one block to the next.
"""


class Weights(NamedTuple):
    """A network's arguments and state, in Asteroid's words, and where they are from (None: seeded)."""

    arguments: Mapping[str, Any]
    state: Optional[Mapping[str, torch.Tensor]]
    origin: Optional[str]


class ReluMaskGenerator(MaskGenerator):
    """torchaudio's mask network with the activation of Asteroid's recipes: masks of 0 and more, not of 0 to 1."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        features = self.input_conv(self.input_norm(input))
        skipped = torch.zeros_like(features)
        for layer in self.conv_layers:
            residual, skip = layer(features)
            if residual is not None:
                features = features + residual
            skipped = skipped + skip
        masks = torch.relu(self.output_conv(self.output_prelu(skipped)))
        return masks.view(input.shape[0], self.num_sources, self.input_dim, -1)


class SpeakerSeparator(WaveformToWaveformBase):
    """(1, samples) to (2, samples). Training leaves the network's level open, so the output gets the input's."""

    def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
        speakers = self.model(x[None])[0]
        return speakers * (x.abs().sum() / speakers.abs().sum().clamp(min=1e-8))


def build(arguments: Mapping[str, Any]) -> ConvTasNet:
    """torchaudio's network of Asteroid's ``arguments``. Raises ValueError where there is none that is the same."""
    wanted = {
        **FIXED,
        "skip_chan": arguments["bn_chan"],
        "stride": arguments["kernel_size"] // 2,
        "in_chan": arguments["n_filters"],
        "out_chan": arguments["n_filters"],
    }
    for name, value in wanted.items():
        given = arguments.get(name)  # what is not given, or None, is Asteroid's default, and that fits
        if given is not None and given != value:
            raise ValueError(f"torchaudio's ConvTasNet has {name} {value!r} alone, not {given!r}")
    network = ConvTasNet(
        num_sources=arguments["n_src"],
        enc_kernel_size=arguments["kernel_size"],
        enc_num_feats=arguments["n_filters"],
        msk_kernel_size=arguments["conv_kernel_size"],
        msk_num_feats=arguments["bn_chan"],
        msk_num_hidden_feats=arguments["hid_chan"],
        msk_num_layers=arguments["n_blocks"],
        msk_num_stacks=arguments["n_repeats"],
    )
    activation = arguments.get("mask_act", "sigmoid")
    if activation == "relu":
        network.mask_generator.__class__ = ReluMaskGenerator
    elif activation != "sigmoid":
        raise ValueError(f"masks with the activation {activation!r} are not known here")
    return network


def torchaudio_state(state: Mapping[str, torch.Tensor], last_block: int) -> Dict[str, torch.Tensor]:
    """Asteroid's ``state`` under torchaudio's names. The last block's residual, which nothing uses, is left out."""
    renamed = {}
    for name, tensor in state.items():
        if name.startswith(f"masker.TCN.{last_block}.res_conv."):
            continue
        for pattern, replacement in NAMES:
            name = re.sub(f"^{pattern}", replacement, name)
        renamed[re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))] = tensor
    return renamed


class TensorUnpickler(pickle.Unpickler):
    """Reads tensors and plain values, and refuses everything else: a pickle from the Hub is a stranger's program."""

    ALLOWED = (
        ("collections", "OrderedDict"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch", "FloatStorage"),
        ("torch", "LongStorage"),
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"the file wants {module}.{name}, which is no tensor")
        return super().find_class(module, name)


def read_checkpoint(data: bytes, origin: str) -> Weights:
    """A checkpoint that Asteroid published, without running what else may be in it.

    Raises ValueError for a TorchScript archive, which torch.load would load as a program, and UnpicklingError for
    anything but tensors and plain values.
    """
    if zipfile.is_zipfile(io.BytesIO(data)):
        members = zipfile.ZipFile(io.BytesIO(data)).namelist()
        if any(member.endswith("constants.pkl") for member in members):
            raise ValueError("the checkpoint is a TorchScript archive, not a state dict")
    reader = types.ModuleType("tensors_only")  # what torch.load wants instead of the module pickle
    reader.Unpickler = TensorUnpickler
    reader.load = lambda file, **options: TensorUnpickler(file, **options).load()
    checkpoint = torch.load(io.BytesIO(data), map_location="cpu", pickle_module=reader)
    return Weights(checkpoint["model_args"], checkpoint["state_dict"], origin)


def trained_weights() -> Weights:
    """The trained weights from the Hub, at the revision that they have now. Raises whatever the Hub's client raises."""
    from huggingface_hub import hf_hub_download, model_info

    revision = model_info(HUB_REPO, timeout=10).sha
    path = hf_hub_download(HUB_REPO, "pytorch_model.bin", revision=revision)
    return read_checkpoint(Path(path).read_bytes(), f"{HUB_REPO}@{revision}")


def choose_weights(choice: str) -> Weights:
    """The weights for ``--weights``; ``auto`` says on standard error why it takes seeded ones."""
    if choice != "seeded":
        try:
            return trained_weights()
        except Exception as error:  # the Hub's client raises what its HTTP library raises, which differs by version
            if choice == "hub":
                raise
            print(f"no trained weights ({type(error).__name__}); making seeded ones", file=sys.stderr)
    return Weights(SMALL, None, None)


def metadata(weights: Weights) -> Dict[str, Any]:
    """metadata.json's fields, which tell trained weights from seeded ones."""
    trained = weights.origin is not None
    return {
        "sample_rate": SAMPLE_RATE,
        "domain_tags": ["speech"],
        "short_description": "Use me to separate two speakers." if trained else "Untrained: an example of an export.",
        "long_description": TRAINED if trained else SEEDED,
        "tags": ["separation", "speech", "ConvTasNet", "trained" if trained else "untrained"],
        "labels": ["speaker 1", "speaker 2"],
        "effect_type": "waveform-to-waveform",
        "multichannel": False,
    }


def card(weights: Weights) -> str:
    """README.md, which names the weights and their licence: the trained ones are CC BY-SA 4.0."""
    if weights.origin is None:
        text = f"**model.pt holds seeded weights** (seed {SEED}): it shows the export and separates nothing."
        return CARD.format(licence="mit", weights=text)
    return CARD.format(licence="cc-by-sa-4.0", weights=f"**model.pt holds trained weights**, from `{weights.origin}`.")


def export(folder: Path, choice: str = "auto") -> None:
    """Write model.pt, metadata.json and README.md to ``folder``."""
    weights = choose_weights(choice)
    torch.manual_seed(SEED)
    network = build(weights.arguments)
    if weights.state is not None:
        last_block = weights.arguments["n_blocks"] * weights.arguments["n_repeats"] - 1
        network.load_state_dict(torchaudio_state(weights.state, last_block))
    model = torch.jit.script(SpeakerSeparator(network))
    test_run(model)
    fields = metadata(weights)
    success, message = validate_metadata(fields)
    if not success:
        raise ValueError(message)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, fields, folder)
    (folder / "README.md").write_text(card(weights), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Export asteroid-convtasnet.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the model repo")
    parser.add_argument("--weights", choices=["auto", "hub", "seeded"], default="auto")
    options = parser.parse_args()
    export(options.output, options.weights)
