"""The only SQL: engines, tables, one store per noun, and TaskFlow's logbook."""
