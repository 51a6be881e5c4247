"""Dashboards for Grafana: described here beside the catalogue, written by `deploy.document`."""
