"""The description of a study: its settings, its models, their names and its summarized rates.

Nothing here needs PyTorch.
"""
