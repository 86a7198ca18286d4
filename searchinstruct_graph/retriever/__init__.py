"""Retrievers that obey an instruction (InF-Embed): losses, rows, an encoder, its training, a re-scorer, and their measures.

Training needs the extra `train`; rows, re-scoring and measures are numpy alone.
"""
