"""The paper's table, with its numbers beside: python -m experiments.table1"""
