"""The catalogue: the registry as static pages for people, with feeds, badges and an index for programs."""
