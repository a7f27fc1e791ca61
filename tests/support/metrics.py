"""What a ``/metrics`` says, read as Prometheus reads it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Scrape:
    """The samples of one answer, by name and labels."""

    samples: Mapping[tuple[str, Labels], float]

    @classmethod
    def of(cls, text: str) -> "Scrape":
        """Raises ValueError where Prometheus could not read it."""
        families = text_string_to_metric_families(text)
        return cls({(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples})

    def __call__(self, name: str, **labels: str) -> float:
        """The value of a sample, 0 where it is not there: a counter that counted nothing has none."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _ in self.samples}

    def label_values(self) -> Iterator[tuple[str, str, str]]:
        """Each metric's name, label and value of the label."""
        for name, labels in self.samples:
            for label, value in labels:
                yield name, label, value


async def scrape(http: httpx.AsyncClient, url: str = "/metrics", **options: str) -> Scrape:
    """Ask for metrics as Prometheus does."""
    answer = await http.get(url, headers=options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return Scrape.of(answer.text)
