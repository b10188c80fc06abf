"""The stores as a whole: how far behind, left alone while they are away, apart from one another, retired."""
