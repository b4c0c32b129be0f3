"""Drills: the story played on a running world, with objectives that it meets or misses."""
