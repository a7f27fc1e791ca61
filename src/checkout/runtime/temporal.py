"""The one way to reach Temporal: the same client and data converter for API, worker, command line and replay."""

import logging
import re
from pathlib import Path

from temporalio import activity, workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import TLSConfig

from checkout.domain import search
from checkout.runtime.settings import PREFIX, Settings, SettingsError
from checkout.runtime.tracing import temporal_interceptors


async def connect(
    settings: Settings, *, lazy: bool = False, identity: str | None = None, runtime: Runtime | None = None
) -> Client:
    """A client for the namespace that the settings name: plain, TLS, mTLS or API key (Temporal Cloud).

    ``lazy`` connects at the first call, so that a process can start, and say so in its health, while Temporal is away.
    ``runtime``: the SDK's, where one is to count what it does.
    Raises RuntimeError where the server does not answer, SettingsError where a certificate cannot be read.
    """
    try:
        return await Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
            tls=_tls(settings),
            data_converter=data_converter(),
            identity=identity,
            lazy=lazy,
            runtime=runtime,
            interceptors=temporal_interceptors(),
        )
    except RuntimeError as error:
        raise RuntimeError(
            f"Temporal does not answer at {settings.temporal_address}: {_reason(error)}. "
            f"Does it run, and is {PREFIX}TEMPORAL_ADDRESS right?"
        ) from error


def sdk_runtime(metrics: PrometheusConfig | None = None) -> Runtime:
    """The SDK's threads for a process of ours: what they log looks as our own lines do; ``metrics``: where they count.

    Raises RuntimeError where the address of the metrics is taken.
    """
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    forwarding = LogForwardingConfig(
        logger=logging.getLogger("temporalio.core"),
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=False,
    )
    lines = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(telemetry=TelemetryConfig(logging=lines, metrics=metrics))


def data_converter() -> DataConverter:
    """The converter of every payload in every history: dataclasses and enums as plain JSON.

    Replay reads recorded histories with the same one.
    """
    return DataConverter.default


async def register_search_attributes(client: Client) -> list[str]:
    """Register those of ``domain.search`` that the client's namespace lacks; answers with their names.

    The embedded server has them from its command line; this is for a server of one's own, once for each namespace.
    """
    there = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {name: kind for name, kind in search.TYPES.items() if name not in there.custom_attributes}
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=client.namespace,
                search_attributes={
                    name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}") for name, kind in missing.items()
                },
            )
        )
    return sorted(missing)


def _reason(error: RuntimeError) -> str:
    """What the SDK's transport says in the middle of its nested names; all of it where it says it otherwise."""
    said = re.findall(r'message: "([^"]+)"', str(error))
    return said[-1] if said else str(error)


def _tls(settings: Settings) -> TLSConfig | bool:
    files = (settings.temporal_tls_ca, settings.temporal_tls_cert, settings.temporal_tls_key)
    if not any(files) and settings.temporal_tls_server_name is None:
        return settings.temporal_tls or settings.temporal_api_key is not None
    return TLSConfig(
        server_root_ca_cert=_read(settings.temporal_tls_ca, "CA"),
        client_cert=_read(settings.temporal_tls_cert, "CERT"),
        client_private_key=_read(settings.temporal_tls_key, "KEY"),
        domain=settings.temporal_tls_server_name,
    )


def _read(path: Path | None, name: str) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise SettingsError(
            f"{PREFIX}TEMPORAL_TLS_{name} is {str(path)!r}, which cannot be read: {error.strerror}"
        ) from None
