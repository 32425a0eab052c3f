"""Who listened, connected, was refused; the life of one socket."""
