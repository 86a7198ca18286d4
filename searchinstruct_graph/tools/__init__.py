"""What agents use to touch the world: reading files and pages, and the corpus index."""
