"""What is a URL, and how are the objects that it names found, read and written?"""
