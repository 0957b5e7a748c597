"""One file per kind of source that lies on this disk: folders, tables, split files, feature files."""
