"""What commands are given: options that several share, prompt files and names, own data, own methods."""
