"""One event for all clients every 100 ms, in one of three ways.

    broadcast.py PORT blocking     one thread sends to each client in turn, and waits for it
    broadcast.py PORT unbounded    what a client does not take is kept, however much it is
    broadcast.py PORT bounded      a client that is too far behind is closed

Each event has SIZE bytes of data (the third argument, 2000 without it).
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"X-Accel-Buffering: no\r\nConnection: close\r\n\r\n"
)
HEALTH = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
    b"Connection: close\r\n\r\nok\n"
)
EVERY = 0.1
BEHIND = 65536


def event(size: int) -> bytes:
    return b"data: " + b"x" * size + b"\n\n"


def blocking(port: int, size: int) -> None:
    clients: list[socket.socket] = []
    lock = threading.Lock()

    def accept(listening: socket.socket) -> None:
        while True:
            client, _ = listening.accept()
            threading.Thread(target=welcome, args=(client,), daemon=True).start()

    def welcome(client: socket.socket) -> None:
        request = client.recv(65536)
        if b" /events" not in request:
            client.sendall(HEALTH)
            client.close()
            return
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        client.sendall(HEAD)
        with lock:
            clients.append(client)

    listening = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=accept, args=(listening,), daemon=True).start()
    while True:
        time.sleep(EVERY)
        with lock:
            for client in list(clients):
                try:
                    client.sendall(event(size))
                except OSError:
                    clients.remove(client)
                    client.close()


def streaming(port: int, size: int, behind: int | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b" /events" not in request:
            writer.write(HEALTH)
            writer.close()
            return
        writer.write(HEAD)
        while not writer.is_closing():
            writer.write(event(size))  # nobody waits for drain()
            if behind is not None and writer.transport.get_write_buffer_size() > behind:
                writer.transport.abort()
            await asyncio.sleep(EVERY)

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(run())


def main() -> None:
    port, way = int(sys.argv[1]), sys.argv[2]
    size = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
    print(f"listening on 127.0.0.1:{port}, {way}", flush=True)
    if way == "blocking":
        blocking(port, size)
    else:
        streaming(port, size, BEHIND if way == "bounded" else None)


if __name__ == "__main__":
    main()
