"""Supervisors as actors: they drive the core, and show what it knows."""
