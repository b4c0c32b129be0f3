"""The order service: the reference application of Outlast."""
