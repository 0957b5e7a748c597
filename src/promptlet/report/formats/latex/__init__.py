"""Tables in LaTeX, in the forms of the field's papers."""
