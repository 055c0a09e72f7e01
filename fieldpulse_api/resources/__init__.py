"""The catalogue: one entry per list of the API, its write rules beside it."""
