"""The desk: what operators do with dead letters. Select, list, count, show, replay, edit, purge."""
