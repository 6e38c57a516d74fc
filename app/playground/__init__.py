"""The playground: a page at `/playground` that speaks to the API as applications do, with the visitor's own key."""
