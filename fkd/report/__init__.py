"""What people look at: tables, figures, the paragraph for a paper, the models' cards.

Each is a stage that reads files of a study and writes files of its own.
"""
