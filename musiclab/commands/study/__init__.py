"""``musiclab study``: many runs as one file says, in the order that they need, then a table and the report."""
