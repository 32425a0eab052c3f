"""Tables as other programs have them: their columns, under their names and in their units."""
