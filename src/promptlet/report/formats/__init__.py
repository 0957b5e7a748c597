"""Tables and pages of those numbers: Markdown, HTML, LaTeX, CSV, JSON."""
