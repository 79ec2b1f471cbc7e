"""What a teacher does with a class: find submissions, grade, sum up, group, hand to platforms."""
