ALTER TABLE payment_attempts
    ADD COLUMN by_hand JSONB,
    DROP CONSTRAINT ck_payment_attempts_status,
    ADD CONSTRAINT ck_payment_attempts_status CHECK (
        status IN ('new', 'created', 'requires_action', 'pending', 'authorized', 'declined', 'captured',
            'voided', 'refunded', 'resolved', 'discarded')
    );
