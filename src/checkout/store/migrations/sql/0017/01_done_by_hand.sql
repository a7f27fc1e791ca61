ALTER TABLE admin_actions ADD COLUMN done TEXT;
