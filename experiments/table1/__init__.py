"""The paper's table, beside the paper's own numbers: python -m experiments.table1"""
