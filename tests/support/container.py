"""PostgreSQL in a container, by testcontainers: what ``pytest --stack=containers`` makes its databases on."""

import os

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


def start() -> tuple[Container | None, dict[str, str]]:
    """Start one and say where it is (``uri``), or say why that cannot be (``absent``): Docker does not run."""
    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        return None, {"absent": f"--stack=containers needs Docker, which does not answer: {error}"}
    container = PostgresContainer(os.environ.get("POSTGRES_IMAGE", "postgres:17"), driver=None)
    container.start()
    return Container(container), {"uri": container.get_connection_url()}
