"""The web console of Centralita: the desk of an agent and the wall board."""
