"""Thin LightningModules: they optimise and log; the maths lives in the packages below."""
