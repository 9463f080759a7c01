"""What people read: tables, the paragraphs on methods, the models' cards, this project's own pages.

Each is a stage that reads files of a study and writes files of its own.
"""
