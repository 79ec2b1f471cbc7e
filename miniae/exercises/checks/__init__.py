"""What checks each exercise: its questions, the right answers, and the mistakes that are known."""
