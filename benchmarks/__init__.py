"""What the figures in the docs are made with. Nothing here is a test, and nothing here is shipped."""
