"""The routes of projects, the page's own files, and what guards them from pages of others."""
