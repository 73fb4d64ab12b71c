"""What Azure ML puts beside the scripts of a ParallelRunStep."""
