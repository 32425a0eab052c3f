"""Captures made from captures: extract, repair, demux, mux, segment."""
