"""GETs with aiohttp, answers thrown away: aiohttp_gets.py BASE COUNT AT_ONCE"""

import asyncio
import sys

import aiohttp


async def main(base, count, at_once):
    numbers = iter(range(count))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def worker():
            for number in numbers:
                async with session.get(f"{base}{number}") as response:
                    await response.read()
                    assert response.status == 200

        await asyncio.gather(*[worker() for _ in range(at_once)])


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
