"""The command line: one small function a verb, on public API only."""
