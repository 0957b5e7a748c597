"""Prompts inside other libraries: one file for each, which loads that library."""
