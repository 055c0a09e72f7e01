"""`fieldpulse mcp`: the account as tools for an agent, over the Model Context Protocol."""
