"""`loader query --plot`: what to draw of a result (chart), in the terminal (bars) or as a picture."""
