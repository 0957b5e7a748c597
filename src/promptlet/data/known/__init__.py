"""The known data sets as their authors hand them out: where each file lies, and which split is official."""
