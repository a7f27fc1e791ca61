"""A payment gateway that stands for a third party: its own process, its own durable tables, reached over HTTP alone."""
