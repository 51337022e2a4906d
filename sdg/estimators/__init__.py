"""Estimators: how the gradient of F at x_t is found, how long it may be, and where it enters a step."""
