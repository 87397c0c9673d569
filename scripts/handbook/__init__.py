"""The tools behind the handbook: page format, code checks and commands."""
