"""One router for each resource. A route says who may ask, what is taken and answered, and which function answers it."""
