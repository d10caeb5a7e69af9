// Canonical Huffman codes of limited length (RFC 1951, section 3.2.2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace chromapress {

/// The lengths of an optimal prefix code whose codes have at most `limit` bits (Larmore and Hirschberg 1990,
/// package-merge). 0 for a symbol that does not occur. A symbol alone gets one bit.
std::vector<std::uint8_t> code_lengths(std::span<const std::uint32_t> counts, unsigned limit);

/// The codes of these lengths, first bit lowest, as DEFLATE writes them.
std::vector<std::uint16_t> codes(std::span<const std::uint8_t> lengths);

}  // namespace chromapress
