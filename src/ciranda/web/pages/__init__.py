"""The pages: what the loop is doing, for people with a browser. Rendered here, kept live by one event stream a page."""
