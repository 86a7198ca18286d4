"""One small program a tool, each run in the tool's own environment by `benchmarks.throughput`, and the server they call."""
