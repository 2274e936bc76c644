"""Empty at run time. The stub of this module has the names of the Platform API's operations."""
