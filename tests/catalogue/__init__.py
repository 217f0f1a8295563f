"""The catalogue: what its files say, and what a stranger's text becomes in them."""
