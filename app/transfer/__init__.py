"""Import and export: the objects of a project as lines of JSON, with the contents of files beside."""
