"""Planning: decides what to do for each record, and sends nothing that writes."""
