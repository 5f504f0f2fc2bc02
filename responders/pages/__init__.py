"""Pages for people: made of escaped text alone, and shown without scripts."""
