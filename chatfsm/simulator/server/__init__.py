"""Simulator server: a contact center over HTTP on this machine, for clients of any make.

    with SimulatorServer(Network(ContactCenter([tenant]))) as server:
        print(server.url)

Tests in other languages steer it over HTTP. With `SimulatorServer(network, control=True)`, or
`chatfsm simulate --control`, programs on this machine may use an admin API:

    curl localhost:8765/__control/requests
    curl localhost:8765/__control/chats/ID/agent -d '{"action": "join"}'
    curl localhost:8765/__control/chats/ID/events -d '{"event": …}'
    curl localhost:8765/__control/faults -X PUT -d '{"faults": "503:post@1"}'
    curl localhost:8765/__control/chats/ID/end -X POST
    curl localhost:8765/__control/advance -d '{"seconds": 300}'

`chatfsm.simulator.server.control` documents all paths, bounds and errors.

`chatfsm.simulator.server.server` needs aiohttp (extra `simulator`).
"""
