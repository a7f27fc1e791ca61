"""PostgreSQL in a container, by testcontainers: what ``pytest --stack=containers`` makes its databases on."""

import os
from collections.abc import Mapping

import docker
import docker.errors
from testcontainers.community.postgres import PostgresContainer


class Container:
    """A container that was started."""

    def __init__(self, container: PostgresContainer) -> None:
        self._container = container

    @property
    def pid(self) -> int | None:
        """Its first process while it runs, as the daemon numbers it."""
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return int(wrapped.attrs["State"]["Pid"]) or None

    def stop(self) -> None:
        """Remove the container with its data."""
        self._container.stop()


def absent() -> str | None:
    """Why there can be no container, where Docker does not run."""
    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        return f"--stack=containers needs Docker, which does not answer: {error}"
    return None


def start(configuration: Mapping[str, str]) -> tuple[Container, dict[str, str]]:
    """Start one with these of PostgreSQL's settings, and say where it is (``uri``)."""
    settings = [part for name, value in configuration.items() for part in ("-c", f"{name}={value}")]
    container = PostgresContainer(os.environ.get("POSTGRES_IMAGE", "postgres:17"), driver=None)
    container.with_command(["postgres", *settings])
    container.start()
    return Container(container), {"uri": container.get_connection_url()}
