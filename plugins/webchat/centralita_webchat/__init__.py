"""A web chat for any page, as a channel of Centralita."""
