"""The command line. main.py is the way in; each command is a module; nothing here imports numpy or rich on its own."""
