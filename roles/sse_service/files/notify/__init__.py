"""The reference notify service: Server-Sent Events over NATS, one stream per browser."""
