DROP TABLE endpoint_health;
