"""Searches the settings of the commands with Optuna: ``python -m sdg.sweep +sweep=guidance_scale``."""
