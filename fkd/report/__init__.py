"""What people read about a study: tables, the paragraphs on methods, and the models' cards.

Each is written by a stage, which reads files of the study and writes files of its own.
"""
