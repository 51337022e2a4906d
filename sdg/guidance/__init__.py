"""Guidance: how well a noisy image matches its targets, and the gradient that improves the match."""
