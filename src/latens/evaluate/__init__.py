"""Metrics, BD-rate and the numbers the benchmarks print. Rates are file sizes, pictures are 8-bit."""
