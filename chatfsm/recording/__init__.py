"""What happened, read again: recorded logs, their replay, and what there is to say about them."""
