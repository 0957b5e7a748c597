"""Names of common things, ours, written down without a look at any data set's classes: what most photos are
of, and what is therefore in every name alike."""

COMMON = (
    *("person", "crowd of people", "hand", "dog", "horse", "bird", "fish", "insect", "bread", "fruit"),
    *("soup", "coffee", "table", "bed", "shelf", "window", "carpet", "sink", "plate", "knife", "bottle"),
    *("bag", "shirt", "hat", "hammer", "telephone", "cable", "car", "train", "boat", "house", "bridge"),
    *("church", "room", "fence", "flower", "mountain", "beach", "cloud", "rock", "newspaper", "map"),
    *("painting", "text", "toy", "paper", "clock", "screenshot"),
)
