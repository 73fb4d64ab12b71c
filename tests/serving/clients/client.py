"""Python's HTTP libraries with their defaults; the first argument says which."""

import asyncio
import gzip
import json
import sys
import urllib.request


def bodies(text):
    yield text[:3]
    yield text[3:]


def use_requests(url):
    import requests

    session = requests.Session()
    for n in range(3):
        answer = session.post(url, json={"n": n})
        print(answer.status_code, answer.text)
    answer = session.post(url, data=bodies(b'{"n": 3}'))
    print(answer.status_code, answer.text)
    answer = session.post(url, data=gzip.compress(b'{"n": 4}'), headers={"Content-Encoding": "gzip"})
    print(answer.status_code, answer.text)


def use_httpx(url):
    import httpx

    with httpx.Client() as client:
        for n in range(3):
            answer = client.post(url, json={"n": n})
            print(answer.status_code, answer.text)
        answer = client.post(url, content=bodies(b'{"n": 3}'))
        print(answer.status_code, answer.text)
        answer = client.post(url, content=gzip.compress(b'{"n": 4}'), headers={"Content-Encoding": "gzip"})
        print(answer.status_code, answer.text)


def use_aiohttp(url):
    import aiohttp

    async def ask():
        async with aiohttp.ClientSession() as session:
            for n in range(3):
                async with session.post(url, json={"n": n}) as answer:
                    print(answer.status, await answer.text())
            async with session.post(url, data=b'{"n": 3}', expect100=True) as answer:
                print(answer.status, await answer.text())
            async with session.post(url, data=b'{"n": 4}', compress="gzip") as answer:
                print(answer.status, await answer.text())

    asyncio.run(ask())


def use_urllib(url):
    for n in range(5):
        with urllib.request.urlopen(url, json.dumps({"n": n}).encode()) as answer:
            print(answer.status, answer.read().decode())


{"requests": use_requests, "httpx": use_httpx, "aiohttp": use_aiohttp, "urllib": use_urllib}[sys.argv[1]](
    sys.argv[2]
)
