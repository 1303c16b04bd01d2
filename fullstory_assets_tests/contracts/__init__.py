"""Cases that every storage and every warehouse passes."""
