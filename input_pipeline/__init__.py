"""Raw data to prepared records to batches; meets the library in the batch alone."""
