"""OpenStack Nova beside which a whole create is put: recorded figures, not measured by this run.

Measured on a machine of this kind (2 cores, Debian 12, Python 3.11) with the real nova 34.0.0:
nova-api, conductor, scheduler and one compute with `FakeDriver` as processes of their own, with
placement 16.0.0, RabbitMQ 3.10 and PostgreSQL 15; Neutron, Glance and Cinder were one stand-in
that answers in about 1 ms; no Keystone. One server from an image, with one new port, twenty
requested at once: the median of five runs of builds per second, and the least CPU time of all
processes together. docs/explanation/performance.md says so too.
"""

BUILDS_PER_SECOND = 2.6
CPU_MS = 400.0
