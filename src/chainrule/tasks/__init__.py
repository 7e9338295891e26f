"""What is learned: losses, metrics and evaluation of classes and of numbers."""
