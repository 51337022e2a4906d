"""What a linear fit of an encoder's features adds to them: python -m experiments.spectral"""
