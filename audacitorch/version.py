"""The versions that reports name."""

__version__ = "1.0.0"

#: The PyTorch release that Audacity's deep-learning builds carry.
TORCH_VERSION = "1.9.0"

#: The image that models run in. scripts/release puts the digest of the published one here.
IMAGE = f"ghcr.io/audacitorch/action:v{__version__}"
