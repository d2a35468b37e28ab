"""The only trio in the core: what carries commands to the engine, and asks from it to the plugins."""
