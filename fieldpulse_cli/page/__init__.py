"""The page of runs: one HTML file, made from the histories of tap and target."""
