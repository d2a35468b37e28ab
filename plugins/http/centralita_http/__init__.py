"""The front door of Centralita: REST, WebSocket, server-sent events and what plugins mount."""
