"""The catalog made again from what stores and copies keep of it."""
