"""What a folder of samples is worth: a judge that never guides, and numbers with their intervals."""
