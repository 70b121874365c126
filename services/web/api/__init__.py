"""The read interface: an authority's own systems read its plans, opportunities, coalitions and deadlines."""
