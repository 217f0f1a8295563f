"""The commands that README and docs show, run as they are printed."""
