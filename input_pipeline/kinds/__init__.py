"""What one kind of stream is made into: from a record to what the model sees."""
