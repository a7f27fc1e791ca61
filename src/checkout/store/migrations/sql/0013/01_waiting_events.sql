-- Events that came in and had no effect yet: as few as there should be, so that they can be counted often.
CREATE INDEX ix_gateway_events_waiting ON gateway_events (received_at) WHERE done_at IS NULL;
