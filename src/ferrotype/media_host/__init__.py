"""The media process: a short-lived child that opens one file from outside and writes it anew."""
