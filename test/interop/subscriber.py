"""A subscriber out of python3-websockets, one line of JSON for each result: messages begin with their number.

The arguments are a URL, and whether to compress: none or deflate.
"""

import asyncio
import json
import sys

import websockets


def tell(**fields):
    print(json.dumps(fields), flush=True)


async def subscribe(uri, compression):
    compression = None if compression == "none" else compression
    async with websockets.connect(uri, compression=compression, max_size=2**24) as ws:
        tell(compressed=[extension.name for extension in ws.extensions] == ["permessage-deflate"])
        count = 0
        ordered = True
        async for message in ws:
            text = message if isinstance(message, str) else message.decode()
            if text == "end":
                break
            # A message that was sent to one has the number of the last that was published, and counts as well.
            ordered = ordered and int(text.split(" ")[0]) == count
            count += 1
        tell(count=count, ordered=ordered)


asyncio.run(subscribe(sys.argv[1], sys.argv[2]))
