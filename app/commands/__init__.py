"""The commands of `locum` that come in groups: `keys`, `projects`, `audit`. What they do lives in app.embedded."""
