"""Side-by-side measurements: every figure is a ratio against a peer or a baseline of the same run."""
