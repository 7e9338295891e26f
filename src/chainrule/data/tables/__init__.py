"""Tables: reading, inferring, encoding. `chainrule.data` has the public names."""
