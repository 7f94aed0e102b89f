"""Golden hashes: what the rows of a small fixed world were when somebody last looked at them."""
