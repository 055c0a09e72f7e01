"""From a row of the API to a record of a stream."""
