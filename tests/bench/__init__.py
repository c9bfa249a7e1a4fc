"""The benchmark: `python -m tests.bench` measures, compares and writes docs/benchmarks.md."""
