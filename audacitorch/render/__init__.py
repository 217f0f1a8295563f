"""`audacitorch run`: audio files through a model, to the tracks or labels that a host makes of them."""
