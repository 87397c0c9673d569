"""Running the blocks of a page, each answer apart from all others."""
