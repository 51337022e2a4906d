"""How often the intervals of ``evaluate.py`` cover: python -m experiments.coverage"""
