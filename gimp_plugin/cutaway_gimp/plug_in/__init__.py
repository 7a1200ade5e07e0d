"""What GIMP loads: Python's standard library and GIMP's own bindings, and nothing else."""
