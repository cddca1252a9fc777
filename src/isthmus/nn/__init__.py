"""Modules: networks and their parts, and what trains, ties or matches the weights of several."""
