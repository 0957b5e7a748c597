"""Pages: a report, a study, the demo. What they say is made here; the templates arrange it."""
