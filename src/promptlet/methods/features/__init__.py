"""What learns on image features alone: adapters, caches, a linear probe."""
