"""Chat models and embeddings by name, the one structured call, the one retry layer, usage and limits."""
