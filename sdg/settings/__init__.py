"""What a user types: words and settings are checked and explained before anything heavy is imported."""
