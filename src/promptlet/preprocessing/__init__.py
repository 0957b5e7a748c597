"""From a picture to the numbers that a backbone reads, bit for bit the same with torch and without."""
