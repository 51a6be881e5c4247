"""What good answers look like, model by model, with an invented example of each."""
