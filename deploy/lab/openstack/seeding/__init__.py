"""The contents of the lab: what three customers would have."""
