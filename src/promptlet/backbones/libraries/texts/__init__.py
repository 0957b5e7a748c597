"""Text towers and tokenizers of transformers, as the encoders need them."""
