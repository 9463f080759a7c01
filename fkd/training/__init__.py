"""Training: the teacher, what it says of text crops, and the students."""
