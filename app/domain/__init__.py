"""What runs, steps, messages and files are, whoever asks for them and wherever they are kept. Nothing here does I/O."""
