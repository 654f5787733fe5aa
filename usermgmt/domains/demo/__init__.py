"""The guided demonstration: the main job on a temporary store, with real commands and their real output."""
