"""The checksums of the Internet protocols, written for plainness alone: what the compiled kernels are held against."""

import struct

CRC32C_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed (RFC 9260 appendix A)


def ones_sum(data: bytes) -> int:
    """Folded ones'-complement sum of big-endian 16-bit words, an odd last byte padded with zero (RFC 1071)."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_header(src: bytes, dst: bytes, protocol: int, length: int) -> bytes:
    """The pseudo-header of RFC 8200 section 8.1; with IPv4 addresses it has the same sum as that of RFC 768."""
    return src + dst + struct.pack(">II", length, protocol)


def crc32c(data: bytes) -> int:
    """CRC32c one bit at a time (RFC 9260 appendix A); SCTP holds it in little-endian order."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ CRC32C_POLYNOMIAL * (crc & 1)
    return crc ^ 0xFFFFFFFF
