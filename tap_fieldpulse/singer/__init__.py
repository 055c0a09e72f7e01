"""Everything but `tap.py` that touches the Singer SDK: streams, the input catalog, the input state."""
