"""What a run is, what is measured of it, and the folders where results lie."""
