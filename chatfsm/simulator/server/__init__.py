"""The simulator's contact center over HTTP on this machine, for clients of any make.

    with Face(Network(ContactCenter(tenants))) as face:
        print(face.url)

It needs aiohttp (extra `simulator`).
"""
