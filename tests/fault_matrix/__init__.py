"""The fault matrix: invariants checked at every (profile, fault scenario, operation, seed). `make matrix`."""
