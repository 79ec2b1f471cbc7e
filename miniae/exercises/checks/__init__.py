"""The checks of each exercise: random inputs, the right answers, and the known mistakes."""
