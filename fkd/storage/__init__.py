"""Files that stages hand on: written whole, read back checked."""
