"""From a .tflite graph to calls of kernels."""
