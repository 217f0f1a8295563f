"""What a model sounds like: clips through the model, as sounds and pictures for a report."""
