"""A service on a Ray cluster in this machine: its nodes, its clients, and what happens to it under load."""
