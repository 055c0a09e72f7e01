"""`fieldpulse import` and `fieldpulse move`: files of an office, written without a pipeline."""
