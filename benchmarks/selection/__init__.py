"""Does the selector read the documents that give pairs like the target's? See `python -m benchmarks.selection --help`."""
