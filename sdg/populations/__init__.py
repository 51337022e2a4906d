"""Populations: many chains for one picture, of which the guide chooses, along the way or at the end."""
