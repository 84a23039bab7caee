"""Simulator server: a contact center over HTTP on this machine, for clients of any make.

    with SimulatorServer(Network(ContactCenter([tenant]))) as server:
        print(server.url)

`chatfsm.simulator.server.server` needs aiohttp (extra `simulator`).
"""
