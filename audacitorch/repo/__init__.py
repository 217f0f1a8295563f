"""A model repo: its files, README.md's front matter, metadata.json with its lines, where it comes from."""
