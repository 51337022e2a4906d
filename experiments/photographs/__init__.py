"""The method on photographs of faces, judged from outside: python -m experiments.photographs"""
