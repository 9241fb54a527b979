"""Run in a network namespace of its own, where a wildcard listen reaches nobody else: starts
nginx, asks the questions that stand as JSON on stdin, and writes the answers as JSON."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time


def answer(address: str, port: int, host: str) -> dict[str, str] | None:
    """The header lines of an answer, names in lower case; None where nothing listens."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.putrequest("GET", "/", skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        return {name.lower(): value for name, value in connection.getresponse().getheaders()}
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def main() -> None:
    asked = json.load(sys.stdin)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    command = [asked["nginx"], "-p", asked["root"], "-c", asked["main"], "-g", "daemon off;"]
    process = subprocess.Popen(command)
    try:
        for _ in range(200):
            if answer("127.0.0.1", asked["ready"], "x") is not None or process.poll() is not None:
                break
            time.sleep(0.02)
        json.dump([answer(*question) for question in asked["questions"]], sys.stdout)
    finally:
        process.terminate()
        process.wait(5)


if __name__ == "__main__":
    main()
