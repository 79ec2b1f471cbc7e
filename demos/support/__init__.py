"""What several demos need. Nothing here is a demo."""
