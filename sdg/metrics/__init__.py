"""Evaluation of a folder of samples: a judge that never guides, and numbers with their intervals."""
