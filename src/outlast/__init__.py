"""Outlast: applications that outlast a Region."""
