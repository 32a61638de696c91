"""What is wrong with a machine, a home and a project, and how to mend it. Nothing is changed, and nothing needs to be written."""
