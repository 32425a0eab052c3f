"""Which bytes are decompressed before the reader asks for them, by threads of their own."""
