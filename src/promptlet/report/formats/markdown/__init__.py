"""The same tables as text: a report, a study."""
