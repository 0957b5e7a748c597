"""What the page needs of the library: trainings with progress and a stop, results, suggestions, exports."""
