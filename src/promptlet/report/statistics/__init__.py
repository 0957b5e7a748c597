"""Numbers from stored runs: means, differences, intervals, studies, where they come from."""
