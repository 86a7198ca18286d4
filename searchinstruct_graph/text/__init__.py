"""Reading text in any script: words, sentences, similarity. Pure functions without models or files."""
