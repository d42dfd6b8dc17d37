"""The same computation by mvnlib and by other libraries, timed in one run: ``python -m benchmarks``."""
