-- What an endpoint's requests prove themselves with in TLS: {"client_cert", "client_key"}, each as PEM.
ALTER TABLE endpoints ADD COLUMN mtls_client_cert jsonb;
