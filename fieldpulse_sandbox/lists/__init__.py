"""List endpoints: queries, filters, pages."""
