"""The `outlast` command; the only place that knows both wings."""
