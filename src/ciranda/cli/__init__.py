"""FACE     the command line: parse, call one function of one room, render."""
