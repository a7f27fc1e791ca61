ALTER TABLE payment_attempts
    ADD COLUMN gateway_code TEXT,
    ADD COLUMN gateway_detail TEXT,
    DROP CONSTRAINT ck_payment_attempts_status,
    ADD CONSTRAINT ck_payment_attempts_status CHECK (
        status IN ('new', 'created', 'requires_action', 'pending', 'authorized', 'declined', 'refused', 'captured',
            'voided', 'refunded', 'resolved', 'discarded')
    );
