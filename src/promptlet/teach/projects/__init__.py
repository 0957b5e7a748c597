"""Projects on the disk: folders of images per class, what is said of them, and every change made undoable."""
