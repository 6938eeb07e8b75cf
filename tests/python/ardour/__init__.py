"""Ardour 7 without a screen: a session with the plugin, MIDI and automation, exported."""
