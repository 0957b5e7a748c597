"""What a person gives to a classifier, of whatever kind: made into images and their labels."""
