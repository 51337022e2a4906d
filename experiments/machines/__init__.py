"""How much a row of the paper's table moves between machines."""
