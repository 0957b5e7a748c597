"""CLIP folders read by Promptlet itself, where they say nothing that is not known: no library is imported."""
