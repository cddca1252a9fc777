"""Drives a method: a short loop on Lightning Fabric, with stages, schedules and exact resumption."""
