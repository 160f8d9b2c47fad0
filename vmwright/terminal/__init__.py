"""What a terminal shows of values: words, marks, colours, bars and boards."""
