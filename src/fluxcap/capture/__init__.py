"""How are inputs found, decompressed, filtered and fed to the core?"""
