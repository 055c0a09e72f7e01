"""The fault matrix: what must hold wherever a profile, a fault, an operation and a seed meet. `make matrix`."""
