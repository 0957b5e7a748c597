"""The text tower: words to class features, the exact engine and the plain path it is measured against."""
