"""Where traces go in the tests: a collector that takes spans in by OTLP over HTTP, and keeps them."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.http import serve


@dataclass(frozen=True)
class Span:
    """A span as it was sent, with the service that sent it."""

    service: str
    name: str
    trace_id: str
    id: str
    parent_id: str
    attributes: dict[str, str]
    #: All that was sent of it.
    text: str


@dataclass
class Collector:
    """The spans that came in; ``endpoint`` is for ``OTEL_EXPORTER_OTLP_ENDPOINT``."""

    endpoint: str = ""
    spans: list[Span] = field(default_factory=list)

    async def take_in(self, request: Request) -> Response:
        """``POST /v1/traces``."""
        sent = ExportTraceServiceRequest.FromString(await request.body())
        for of_resource in sent.resource_spans:
            resource = {one.key: one.value.string_value for one in of_resource.resource.attributes}
            for span in (span for scope in of_resource.scope_spans for span in scope.spans):
                self.spans.append(
                    Span(
                        service=resource["service.name"],
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes={one.key: str(one.value.string_value) for one in span.attributes},
                        text=str(span),
                    )
                )
        return Response(b"", media_type="application/x-protobuf")

    def of(self, trace_id: str) -> dict[str, Span]:
        """The spans of a trace by their ids."""
        return {span.id: span for span in self.spans if span.trace_id == trace_id}


@contextlib.contextmanager
def running_collector() -> Iterator[Collector]:
    """One while the context lasts."""
    collector = Collector()
    with serve(Starlette(routes=[Route("/v1/traces", collector.take_in, methods=["POST"])])) as url:
        collector.endpoint = url
        yield collector
