"""The read interface: what an authority's own systems read of its plans, opportunities, coalitions and deadlines."""
