"""What may be written, one file a mapping: each field is declared once, with its reader, its default and its explanation."""
