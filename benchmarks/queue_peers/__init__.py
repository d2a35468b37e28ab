"""The queue's peers: one module for each way to decide who gets whom, all given the same work.

Not named `queue`: the benchmarks' folder leads the path, and the standard library has a module of that name.
"""
