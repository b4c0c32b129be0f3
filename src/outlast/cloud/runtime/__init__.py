"""Where users' code runs: a warm template process and the workers forked from it.

Two sides live here. `host` and `environment` run inside a Region and never block it; everything else is loaded by
`python -m outlast.cloud.runtime.template`, a process of its own. The package imports the standard library and boto3
only, nothing else of the cloud, so a worker holds none of the Region's code, data or secrets.
"""
