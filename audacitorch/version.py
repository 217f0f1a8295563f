"""The version that reports name."""

__version__ = "1.0.0"


#: The image that models run in. scripts/release puts the digest of the published one here.
IMAGE = f"ghcr.io/audacitorch/action:v{__version__}"
