"""Deployment: the handlers packed, the stacks made in order, everything an evacuation needs written to one file."""
