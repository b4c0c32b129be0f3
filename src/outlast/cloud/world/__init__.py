"""Composition: the world, its Regions as processes, the service catalogue, the supervisor and the front door."""
