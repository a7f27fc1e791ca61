-- Carts that are locked: as few as there are open checkouts. By them a lock is found whose checkout is lost.
CREATE INDEX ix_carts_locked_by ON carts (locked_by) WHERE locked_by IS NOT NULL;
