"""From a name to a model folder, wherever it is: shipped, on this machine, or on the Hugging Face Hub; and back again."""
