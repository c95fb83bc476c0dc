"""Blocks: one row for many units that succeeded together. Packing is pure (codec); who writes and who reads them is apart."""
