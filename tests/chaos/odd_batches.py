"""Record batches byte by byte: what no well-behaved client sends, and what a broker may hold all the same."""

import asyncio
import struct
from collections.abc import Sequence
from typing import Any

import cramjam
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.codec import lz4_encode
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c, encode_varint

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
XERIAL = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
Headers = Sequence[tuple[bytes, bytes | None]]


def record(delta: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> bytes:
    """One record of format 2. Header names are bytes, so that they need not be UTF-8."""
    out = bytearray(b"\0")
    for number in (0, delta):
        encode_varint(number, out.append)
    for content in (key, value):
        encode_varint(-1 if content is None else len(content), out.append)
        out += content or b""
    encode_varint(len(headers), out.append)
    for name, content in headers:
        encode_varint(len(name), out.append)
        out += name
        encode_varint(-1 if content is None else len(content), out.append)
        out += content or b""
    whole = bytearray()
    encode_varint(len(out), whole.append)
    return bytes(whole + out)


def many_headers(delta: int, count: int) -> bytes:
    """One record with so many empty headers, made at once: a list of them would take gigabytes here."""
    out = bytearray(b"\0\0")
    encode_varint(delta, out.append)
    out += b"\x02k\x02v"
    encode_varint(count, out.append)
    out += b"\0\1" * count
    whole = bytearray()
    encode_varint(len(out), whole.append)
    return bytes(whole + out)


def compressed(codec: str, records: bytes) -> bytes:
    """The records as a producer with this codec sends them; "xerial" is the framing of snappy by Java's clients."""
    if codec == "none":
        return records
    if codec == "snappy":
        return bytes(cramjam.snappy.compress_raw(records))
    if codec == "xerial":
        blocks = (records[at : at + 32_768] for at in range(0, len(records), 32_768))
        packed = [bytes(cramjam.snappy.compress_raw(block)) for block in blocks]
        return XERIAL + b"".join(struct.pack(">i", len(one)) + one for one in packed)
    # aiokafka's, since Kafka takes no LZ4 whose blocks depend on each other, as cramjam's own do
    return lz4_encode(records) if codec == "lz4" else bytes(getattr(cramjam, codec).compress(records))


def batch(
    records: Sequence[bytes],
    *,
    codec: str = "none",
    packed: bytes | None = None,
    number: int | None = None,
    first: int = 0,
    count: int | None = None,
    last: int | None = None,
    magic: int = 2,
    crc: int | None = None,
    attributes: int = 0,
    producer: int = -1,
) -> bytes:
    """One batch. `packed`: bytes in the place of the compressed records; `number`: a codec's number that is another."""
    body = compressed(codec, b"".join(records)) if packed is None else packed
    attributes |= CODECS["snappy" if codec == "xerial" else codec] if number is None else number
    count = len(records) if count is None else count
    last = count - 1 if last is None else last
    rest = struct.pack(">hiqqqhii", attributes, last, 1_700_000_000_000, 1_700_000_000_000, producer, -1, -1, count)
    rest += body
    crc = calc_crc32c(rest) if crc is None else crc
    return struct.pack(">qiibI", first, len(rest) + 9, 0, magic, crc) + rest


async def produce(producer: AIOKafkaProducer, topic: str, partition: int, raw: bytes) -> int:
    """Sends a batch as it is; what the broker says of it (Kafka's error code, 0 where it took it)."""
    node = None
    while node in (None, -1):
        await producer.client.fetch_all_metadata()
        await producer.partitions_for(topic)
        node = producer.client.cluster.leader_for_partition(TopicPartition(topic, partition))
        await asyncio.sleep(0.05)
    request: Any = ProduceRequest(None, -1, 10_000, [(topic, [(partition, raw)])])
    answer = await producer.client.send(node, request)
    ((_, ((_, code, *_),)),) = answer.topics
    return int(code)
