"""The training of the teacher and of the students, and the targets that the teacher computes."""
