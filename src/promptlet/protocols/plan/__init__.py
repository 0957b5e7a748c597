"""Before anything is run: what is refused, how long it may take, the settings of a study."""
