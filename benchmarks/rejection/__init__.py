"""None of these: which score tells images of taught classes from all others, on every bed."""
