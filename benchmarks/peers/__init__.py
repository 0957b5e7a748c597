"""The peers side by side: methods that learn prompts and those on features, on every bed, over the shots."""
