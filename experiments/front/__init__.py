"""Every way to guide the same prior, at equal cost."""
