"""Class vectors on a disk, in four forms: NumPy's .npz, .json, .csv and .parquet."""
