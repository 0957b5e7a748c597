"""What is suspicious in labelled images: copies, leaks, doubtful labels, names that are no words."""
