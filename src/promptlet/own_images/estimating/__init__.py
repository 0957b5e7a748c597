"""How often a prompt will be right on other images, found out by cross-validation on those it was given."""
