"""What the author wrote: text to nodes with places, nodes to typed specs. Nothing is resolved here (see plan/)."""
