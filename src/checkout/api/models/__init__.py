"""The bodies of requests and answers, each with an example. Requests are strict: no conversion, no unknown field."""
