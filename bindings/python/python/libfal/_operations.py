"""The names of the operations of the Platform API are in the stub of this module; nothing here is needed at run time."""
