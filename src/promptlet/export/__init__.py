"""Making what leaves the library, of a trained classifier: class vectors, and folders with graphs."""
