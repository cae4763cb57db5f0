ALTER TABLE endpoints DROP COLUMN mtls_client_cert;
