"""Sockets, TLS, HTTP, DNS packets and the request pipeline."""
