"""The load generator of `bench_load.py`: a crowd of customers and agents at the daemon's real sockets."""
