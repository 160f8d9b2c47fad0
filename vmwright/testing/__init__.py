"""For embedders: what breaks flows on purpose, and looks at what is left."""
