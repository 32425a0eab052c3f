"""How one value and one column look: names, text, times, arrow types, human units."""
