"""The programs whose reading is compared: ours, an older build of ours, and others that read the same list."""
