"""The nouns, and the actions in the order in which they are listed everywhere."""
