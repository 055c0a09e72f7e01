"""Complete lists and single rows, from pages that may be unsorted, uncounted or moving."""
