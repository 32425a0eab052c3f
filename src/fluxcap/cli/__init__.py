"""The command line. main.py is the entry; each command is a module; no module here imports numpy or rich at its top."""
