"""The embedded CRM of Centralita: customers, conversations and notes in SQLite."""
