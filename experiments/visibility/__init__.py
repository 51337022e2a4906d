"""What an encoder can tell apart at every noise level: python -m experiments.visibility"""
