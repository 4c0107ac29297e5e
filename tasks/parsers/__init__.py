"""Parsers: the bytes of a file become a title and sections. One module per form of file."""
