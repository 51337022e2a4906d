"""How well faces follow their prompts, against the guidance scale: python -m experiments.text_alignment"""
