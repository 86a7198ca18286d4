"""Triplets without a language model: criteria that passages meet or fail, told in words and read back from words."""
