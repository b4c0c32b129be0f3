"""Customers: signed requests from two coasts, at a rate that does not wait for answers, every one of them logged.

Clients sign with SigV4A, because a customer of one name does not know which Region will answer (ops.signing says more).
Requests go to the deployment's own endpoints and nowhere else: the only address a client ever uses is one that the
deployment's name resolved to.
"""
