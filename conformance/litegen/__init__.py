"""Builds single-operator models, runs LiteRT over them and stores what it says."""
