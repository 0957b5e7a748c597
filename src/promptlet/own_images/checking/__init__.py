"""What is suspicious in a person's labelled images: copies, leaks, doubtful labels, names that are no words."""
