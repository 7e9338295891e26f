"""Looking at a training: rates to try, gradients to compare, one batch to learn by heart."""
