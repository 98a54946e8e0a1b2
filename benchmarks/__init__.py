"""Measures what the README and DESIGN.md promise: ``python -m benchmarks [name ...]``, all of them without a name.

Each benchmark prints a table with the figures beside what is required of them. Times are the least and the median of
several repeats that take turns, so that what is compared was measured on the same busy or idle machine.
"""
