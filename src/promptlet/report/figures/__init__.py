"""Pictures of those numbers."""
