"""Simulator: a stand-in contact center to test with, in virtual time or over HTTP.

`ContactCenter` speaks both versions of the API without IO: HTTP requests in, replies out. What its
agents do in a chat is a `Scenario`; several come with it.

    >>> from chatfsm.simulator.builtin_scenarios import AGENTS, SCENARIOS
    >>> from chatfsm.simulator.center import ContactCenter
    >>> from chatfsm.simulator.tenants import AppEntry, Tenant
    >>> entry = AppEntry(app_id="demo", scenario=SCENARIOS["echo"])
    >>> tenant = Tenant(url="tenant.example", entries=(entry,), agents=AGENTS)

`World` lets customers, each with a `ChatClient`, chat with a center in virtual time. Faults of the
network between them are part of the test, and the same seed gives the same course.

    >>> from chatfsm.simulator.world import World
    >>> world = World(ContactCenter([tenant]), faults="lossy", seed=7)
    >>> customer = world.add_customer("customer-1", app_id="demo")
    >>> effects = customer.open_chat()
    >>> world.run(10.0)
    >>> effects = customer.send_text("Hello.")
    >>> world.run_until(lambda: "You said: Hello." in customer.received_texts)

`SimulatorServer` serves a center over HTTP on this machine, for clients of any make.

    >>> from chatfsm.simulator.network import Network
    >>> from chatfsm.simulator.server.server import SimulatorServer
    >>> with SimulatorServer(Network(ContactCenter([tenant]))) as server:
    ...     print(server.url.rpartition(":")[0])
    http://127.0.0.1
"""
