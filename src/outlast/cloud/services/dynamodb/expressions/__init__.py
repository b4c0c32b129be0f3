"""Expressions: text to tree to closures, parsed once, cached by text, bound to names and values per call."""
