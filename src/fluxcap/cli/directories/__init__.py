"""Commands that lay out a directory, or read one that they laid out, a module each: a lake, what was delivered."""
