"""View models: what the pages of the desk show, as values. Times are in UTC, spans in seconds."""
