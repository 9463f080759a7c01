"""What a study is: its settings, its models, their names and their summed-up rates. Without PyTorch."""
