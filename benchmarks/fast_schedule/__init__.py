"""How few text passes of the schedule ``fast`` give the same: see `benchmarks.fast_schedule.__main__`."""
