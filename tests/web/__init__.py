"""The page, as browsers show it and as they reckon."""
