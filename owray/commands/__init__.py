"""The commands that drive load and read it back: one small module each. Parse, call, print; heavy imports inside the functions."""
