"""Thin LightningModules: they optimise and log; the maths lives in lower-level packages."""
