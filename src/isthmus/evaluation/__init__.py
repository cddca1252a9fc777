"""Metrics, prediction, embeddings and saved models. Knows tensors and predictors, no engine."""
